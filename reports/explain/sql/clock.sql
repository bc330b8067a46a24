-- Messages of one client whose time can't be right: before 2000, or more than a day after they came (bit 0 of flags).
-- Out of how many, and the latest of them.
SELECT
    uniqExactIf((serial, payload_hash), bitTest(flags, 0) = 1) AS suspects,
    maxIf(received_time, bitTest(flags, 0) = 1) AS latest,
    argMaxIf(message_time, (received_time, serial), bitTest(flags, 0) = 1) AS named,
    uniqExactIf((serial, payload_hash), bitTest(flags, 0) = 0
        AND received_time > (SELECT max(received_time) FROM state_messages WHERE client_id = {client:UUID}
        AND bitTest(flags, 0) = 1)) AS right_since
FROM state_messages
WHERE client_id = {client:UUID}
