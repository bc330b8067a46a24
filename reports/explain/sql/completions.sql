-- Resync complete messages of one client, the latest arrival first. A first parameter that is a number from 1 to the
-- completion's serial is where its answer begins: only what lies below that is settled.
SELECT
    serial,
    received_time,
    if(match(params[1], '^[0-9]{1,19}$') AND toUInt64OrZero(params[1]) BETWEEN 1 AND serial, toUInt64OrZero(params[1]),
        serial) AS floor
FROM completions_data FINAL
WHERE client_id = {client:UUID}
ORDER BY received_time DESC, serial DESC
LIMIT 100
