-- Every client was connected ten times.
INSERT INTO presence_history (client_id, server_id, channel_type, session, from_time, to_time, reason, version)
SELECT reinterpret(sipHash128(number), 'UUID'), 1 + number % 40, 0, n, now64(6, 'UTC') - toIntervalHour(8 * n + 9),
    now64(6, 'UTC') - toIntervalHour(8 * n), ['closed', 'silent'][1 + n % 2], 1
FROM numbers({from:UInt64}, {clients:UInt64}) ARRAY JOIN range(10) AS n
