-- title: Status messages of components
-- group: Site
-- columns: time!, component!, text, message_id, host
-- empty: the notification server and the notification manager have said nothing
-- description: What the notification server and the notification manager say of themselves, the latest first. docs/channel.md
--   says what each number means.
-- param component String = '': Such as SMS_NOTIFICATION_SERVER; empty takes all
-- param hours UInt32 = 168 in 0..100000: Only the last so many hours; 0 takes all
-- order: time DateTime64(3,'UTC') desc, component String, message_id UInt32, text String
SELECT DISTINCT time, toString(component_status.component) AS component, message_id, toString(host) AS host, text
FROM component_status
WHERE message_id > 0
  AND ({component:String} = '' OR component_status.component = {component:String})
  AND ({hours:UInt32} = 0 OR time >= now64(3, 'UTC') - toIntervalHour({hours:UInt32}))
