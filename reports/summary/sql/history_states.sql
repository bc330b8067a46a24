-- Current states, whatever became of their messages. rank has serial, message time and hash, then the arrival.
INSERT INTO topic_history (topic_type, topic_id, client_id, place, state_id, received_time, earliest)
SELECT topic_type, topic_id, client_id, bitShiftRight(rank, 64), state_id, received_time, bitNot(toUInt64(toUnixTimestamp64Micro(received_time)))
FROM current_states_data
