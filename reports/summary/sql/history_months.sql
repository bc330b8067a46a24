-- The months that messages arrived in, the newest first.
SELECT toUInt32(toYYYYMM(received_time)) AS month FROM state_messages GROUP BY month ORDER BY month DESC
