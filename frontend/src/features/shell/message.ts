// Element Plus' message with its styles: one module, so that one dynamic import brings both.
import 'element-plus/es/components/message/style/css'
import './message.css'
export { ElMessage } from 'element-plus/es/components/message/index'
