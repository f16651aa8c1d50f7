-- Reporters are told what became of their report. Of other news: null.
alter table notifications add column upheld boolean;
