-- When the oldest stored message arrived; 1970 where there is none.
SELECT min(received_time) FROM state_messages
