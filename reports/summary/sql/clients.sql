-- Clients that changed since the summary, a slice of them, unless they stand there just so. It is the view
-- clients_fresh, which would hold the ids of all that changed at once.
INSERT INTO client_now (client_id, netbios_name, name_lower, client_version, client_type, first_report_time,
    last_report_time, version)
WITH changed AS (SELECT client_id FROM clients_changed WHERE sipHash64(client_id) % {slices:UInt64} = {slice:UInt64})
SELECT client_id, netbios_name, lower(netbios_name), client_version, client_type, first_report_time, last_report_time,
    (SELECT max(version) FROM client_now) + 1
FROM
(
    SELECT
        client_id,
        argMaxIf(facts.netbios_name, facts.place, bitTest(facts.given, 0) = 1) AS netbios_name,
        argMaxIf(facts.client_version, facts.place, bitTest(facts.given, 1) = 1) AS client_version,
        argMaxIf(facts.client_type, facts.place, facts.given < 128) AS client_type,
        minIf(facts.first_report_time, facts.given = 128) AS first_report_time,
        max(facts.last_report_time) AS last_report_time
    FROM
    (
        SELECT client_id, '' AS netbios_name, '' AS client_version, toUInt8(0) AS client_type, toUInt8(128) AS given,
            toUInt128(0) AS place,
            CAST(first_report_time, 'DateTime64(6, \'UTC\')') AS first_report_time,
                CAST(last_report_time, 'DateTime64(6, \'UTC\')') AS last_report_time
        FROM clients_seen
        WHERE client_id IN (changed)
        UNION ALL
        SELECT client_id, netbios_name, CAST(client_version, 'String') AS client_version, client_type, given, place,
            toDateTime64(0, 6, 'UTC') AS first_report_time, toDateTime64(0, 6, 'UTC') AS last_report_time
        FROM clients_named
        WHERE client_id IN (changed)
    ) AS facts
    GROUP BY client_id
)
WHERE (client_id, netbios_name, client_version, client_type, first_report_time, last_report_time) NOT IN
(
    SELECT client_id, netbios_name, CAST(client_version, 'String'), client_type, first_report_time, last_report_time
    FROM client_now FINAL
    WHERE client_id IN (changed)
)
