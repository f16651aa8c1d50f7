// Traditional Chinese texts of channels and of what stands around a video.
import type en from './texts.en'

export default {
  channels: {
    follow: '追蹤',
    following: '追蹤中',
    followName: '追蹤 {name}',
    unfollowName: '取消追蹤 {name}',
    followers: '尚無追蹤者 | {n} 位追蹤者 | {n} 位追蹤者',
    videoCount: '尚無影片 | {n} 部影片 | {n} 部影片',
    videos: '影片',
    playlists: '播放清單',
    about: '關於',
    sections: '頻道分頁',
    sort: '排序',
    new: '最新',
    popular: '最多觀看',
    old: '最舊',
    emptyTitle: '還沒有影片',
    emptyText: '{name} 的公開影片會出現在這裡。',
    noBio: '{name} 還沒有寫自我介紹。',
    joined: '{date} 加入',
    notFound: '沒有這個頻道',
    notFoundText: '名稱可能有誤，或帳號已不存在。',
    feedTitle: '追蹤中',
    feedText: '您追蹤的創作者的最新影片。',
    feedEmptyTitle: '這裡還沒有內容',
    feedEmptyText: '在頻道頁或影片下方追蹤創作者，新影片就會出現在這裡。',
    feedEmptyAction: '探索影片',
    whom: '您追蹤的創作者',
  },
  around: {
    actions: '對這部影片的操作',
    like: '喜歡',
    unlike: '收回喜歡',
    likes: '尚無人喜歡 | {n} 人喜歡 | {n} 人喜歡',
  },
} satisfies typeof en
