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

export type Channel = Schemas['Channel']
export type ChannelSort = 'new' | 'popular' | 'old'
export type FollowState = Schemas['FollowState']
export type FollowedPage = Schemas['FollowedPage']
export type LikeState = Schemas['LikeState']
export type ViewerState = Schemas['ViewerState']
export type WatchTicket = Schemas['WatchTicket']
export type WatchReport = Schemas['WatchReport']

export type Comment = Schemas['Comment']
export type CommentPage = Schemas['CommentPage']
export type CommentSort = 'top' | 'new'
export type CommentLikeState = Schemas['CommentLikeState']
export type ReportRequest = Schemas['CreateReportRequest']
export type ReportReason = Schemas['Reason']
export type ReportTarget = Schemas['Target']

export type HistoryPage = Schemas['HistoryPage']
export type WatchedVideo = Schemas['WatchedVideo']
export type Playlist = Schemas['Playlist']
export type PlaylistList = Schemas['PlaylistList']
export type PlaylistItem = Schemas['PlaylistItem']
export type PlaylistItemPage = Schemas['PlaylistItemPage']
export type NewPlaylist = Schemas['CreatePlaylistRequest']
export type PlaylistChanges = Schemas['UpdatePlaylistRequest']

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
