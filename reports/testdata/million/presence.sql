-- Nine of ten clients are connected, one of five over HTTP, for as long as a month.
INSERT INTO client_presence (client_id, online_status, channel_type, last_status_time, server_id, session, seq, since,
    last_heard, address, reason, why, version)
SELECT reinterpret(sipHash128(number), 'UUID'), number % 10 < 9, number % 5 = 0,
    now64(6, 'UTC') - toIntervalSecond(sipHash64(number) % 2600000) AS at, 1 + number % 40, 7, 1, at, at, '10.0.0.7',
    if(number % 10 < 9, 'signin', ['closed', 'reset', 'silent', 'server_lost'][1 + intDiv(number, 10) % 4]),
    if(number % 5 = 0, concat('tcp push', toString(number % 40), ':10123: connection refused'), ''), 1 + number
FROM numbers({from:UInt64}, {clients:UInt64})
