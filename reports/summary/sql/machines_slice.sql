-- The last of the next machines in the order of their ids, those that changed or all, and how many they are.
SELECT max(client_id), count()
FROM
(
    SELECT DISTINCT client_id
    FROM clients_seen
    WHERE client_id > {after:UUID}
      AND ({whole:UInt8} = 1 OR client_id IN (SELECT client_id FROM machines_changed))
    ORDER BY client_id
    LIMIT {rows:UInt64}
)
