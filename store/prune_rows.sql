DELETE WHERE (topic_type, hex(topic_id), client_id, payload_hash, toUnixTimestamp64Micro(received_time))
    IN {keys:Array(Tuple(UInt32, String, UUID, UInt64, Int64))}
SETTINGS mutations_sync = 1
