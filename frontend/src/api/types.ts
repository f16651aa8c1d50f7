// The records that the API speaks, by short names. They are generated from the OpenAPI document: `npm run api`.
import type { components } from './schema'

type Schemas = components['schemas']

export type User = Schemas['User']
export type Session = Schemas['LoginResponse']
export type Registration = Schemas['RegisterRequest']

export type Video = Schemas['Video']
/** The live view of a video: what a topic carries. The other fields come from `GET /api/videos/{id}`. */
export type LiveVideo = Schemas['LiveVideo']
export type VideoPage = Schemas['VideoPage']
export type VideoChanges = Schemas['UpdateVideoRequest']
export type Visibility = Schemas['Visibility']
export type Stage = Schemas['Stage']
export type Quality = Schemas['Quality']

export type Extras = Schemas['Extras']
export type Chapter = Schemas['Chapter']
export type Category = Schemas['Category']
export type Thumbnail = Schemas['Thumbnail']
export type ThumbnailList = Schemas['ThumbnailList']
export type ThumbnailTarget = Schemas['ThumbnailTarget']

export type Statistics = Schemas['Statistics']
export type BulkEdit = Schemas['BulkEdit']
export type BulkRequest = Schemas['BulkRequest']

export type UploadTicket = Schemas['UploadTarget']
export type UploadRequest = Schemas['CreateUploadRequest']
/** Addresses of parts, or of the whole where there are none. */
export type UploadParts = Schemas['PartUrls']
export type Upload = Schemas['Upload']
export type UploadList = Schemas['UploadList']
export type Storage = Schemas['Usage']
export type Completion = Schemas['CompleteUploadRequest']

export type SocketTicket = Schemas['TicketResponse']
export type PublicConfig = Schemas['PublicConfig']
export type ProblemBody = Schemas['Problem']
export type FieldError = Schemas['FieldError']

export type JobPage = Schemas['JobPage']
export type JobLine = Schemas['JobLine']
export type JobDetail = Schemas['JobDetail']
export type Why = Schemas['Why']
export type JobLinks = Schemas['JobLinks']
export type Line = Schemas['Line']
export type Acted = Schemas['Acted']
export type QueueList = Schemas['QueueList']
export type QueueView = Schemas['QueueView']
export type PauseRequest = Schemas['PauseRequest']
