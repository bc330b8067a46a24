-- Clients of whom something is in the store again that came before they were erased, or within {grace} seconds: a report
-- that waited, one that was set aside and is replayed. Those as well whose erasure was cut short; its time is kept
-- already. Of clients erased before {since} nothing is looked for.
WITH
    erased AS
    (
        SELECT client_hash, max(serial_floors.erased_time) AS at
        FROM serial_floors
        GROUP BY client_hash
        HAVING at >= {since:DateTime64(6, 'UTC')}
    ),
    (SELECT toDateTime64(min(at), 3, 'UTC') FROM erased) AS least,
    (SELECT count() FROM erased) AS many
SELECT h.client_id AS client_id, max(h.last) AS heard, any(e.at) AS at
FROM
(
    SELECT client_id, CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')') AS last
    FROM clients_seen WHERE many > 0 AND clients_seen.loaded_time >= least
    UNION ALL
    SELECT client_id, CAST(client_claims.claimed_time, 'DateTime64(6, \'UTC\')')
    FROM client_claims WHERE many > 0 AND client_claims.loaded_time >= least
) AS h
INNER JOIN erased AS e ON e.client_hash = lower(hex(SHA256(toString(h.client_id))))
GROUP BY client_id
HAVING heard <= at + toIntervalSecond({grace:UInt64})
UNION ALL
SELECT client_id, toDateTime64(0, 6, 'UTC'), toDateTime64(0, 6, 'UTC') FROM client_retirements FINAL WHERE state = 'erasing'
