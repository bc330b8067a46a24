-- Every client asked for its policy in the last hour.
INSERT INTO client_claims (client_id, last_serial, claimed_time)
SELECT reinterpret(sipHash128(number), 'UUID'), 100, now64(6, 'UTC') - toIntervalSecond(number % 3600)
    FROM numbers({from:UInt64}, {clients:UInt64})
