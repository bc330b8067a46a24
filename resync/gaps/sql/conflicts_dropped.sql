-- Clients first seen before the retention with a new message above whose serial messages have been dropped: more
-- serials arrived than are stored or set aside. least is their least new serial.
WITH
    wanted AS
    (
        SELECT client FROM format(CSV, 'client UUID', @clients)
    ),
    new AS
    (
        SELECT client_id, min(serial) AS least
        FROM state_messages
        WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted)) AND serial > 0
            AND state_messages.loaded_time >= toDateTime64(@since, 3, 'UTC')
            AND client_id IN
            (
                SELECT client_id
                FROM clients_seen
                WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
                GROUP BY client_id
                HAVING min(clients_seen.first_report_time) < toDateTime64(@kept_from, 6, 'UTC')
            )
        GROUP BY client_id
    )
SELECT arrived.client_id AS client_id, arrived.least AS least
FROM
(
    SELECT r.client_id AS client_id, any(n.least) AS least,
           intervalLengthSum(greatest(r.first_serial, n.least), r.last_serial + 1) AS serials
    FROM serial_ranges AS r
    INNER JOIN new AS n ON n.client_id = r.client_id
    WHERE r.client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR r.client_id IN (wanted))
        AND r.last_serial >= n.least
    GROUP BY client_id
) AS arrived
LEFT JOIN
(
    SELECT client_id, uniqExact(serial) AS serials
    FROM
    (
        SELECT m.client_id AS client_id, m.serial AS serial
        FROM state_messages AS m
        INNER JOIN new AS n ON n.client_id = m.client_id
        WHERE m.client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR m.client_id IN (wanted))
            AND m.serial >= n.least
        UNION ALL
        SELECT a.client_id, assumeNotNull(a.serial)
        FROM set_aside_records AS a
        INNER JOIN new AS n ON n.client_id = a.client_id
        WHERE a.client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR a.client_id IN (wanted))
            AND a.serial >= n.least
    )
    GROUP BY client_id
) AS kept ON kept.client_id = arrived.client_id
WHERE arrived.serials > kept.serials
