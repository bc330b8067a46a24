-- The clients that the table of presence has.
SELECT client_id, online_status, channel_type, last_status_time, server_id, session, seq, since, last_heard, address,
       CAST(reason, 'String') AS reason, why
FROM client_presence FINAL
