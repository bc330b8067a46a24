-- One client in a hundred lacks a range, one in two hundred was asked for everything again.
INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed)
SELECT reinterpret(sipHash128(number * 100), 'UUID'), 101, 110, now64(6, 'UTC') - toIntervalSecond(number % 1000000),
    now64(6, 'UTC'), 0
FROM numbers(intDiv({clients:UInt64}, 100))
