-- Resyncs of one client in two hundred, in the last ten days.
INSERT INTO resyncs (client_id, issued_time, reason, issued_by, next_serial, number)
SELECT reinterpret(sipHash128(number * 200), 'UUID'), now64(6, 'UTC') - toIntervalSecond(number * 37 % 864000), 'gap',
    'check', 101, 1
FROM numbers(intDiv({clients:UInt64}, 200))
