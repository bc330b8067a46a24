-- What the clients whose ids are in page_ids are called, and when they reported: as the view clients says, from the tables that it is made of; with as_of the last report is that of then, as far as reports are held.
    named AS
    (
        SELECT
            client_id,
            argMaxIf(f.netbios_name, f.place, bitTest(f.given, 0) = 1) AS netbios_name,
            argMaxIf(f.client_version, f.place, bitTest(f.given, 1) = 1) AS client_version,
            minIf(f.first_report_time, f.given = 128) AS first_report_time,
            max(f.last_report_time) AS last_report_time
        FROM
        (
            SELECT client_id, '' AS netbios_name, '' AS client_version, toUInt8(128) AS given, toUInt128(0) AS place,
                CAST(clients_seen.first_report_time, 'DateTime64(6, \'UTC\')') AS first_report_time,
                -- if as_of:
                toDateTime64(0, 6, 'UTC') AS last_report_time
                -- else:
                CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')') AS last_report_time
                -- end:
            FROM clients_seen
            WHERE client_id IN (SELECT arrayJoin(page_ids))
            UNION ALL
            -- if as_of:
            SELECT client_id, '' AS netbios_name, '' AS client_version, toUInt8(0) AS given, toUInt128(0) AS place,
                toDateTime64(0, 6, 'UTC') AS first_report_time, received_time AS last_report_time
            FROM client_reports
            WHERE client_id IN (SELECT arrayJoin(page_ids)) AND received_time <= fromUnixTimestamp64Micro({moment_us:Int64}, 'UTC')
            UNION ALL
            -- end:
            SELECT client_id, netbios_name, CAST(clients_named.client_version, 'String') AS client_version, given,
                place,
                toDateTime64(0, 6, 'UTC') AS first_report_time, toDateTime64(0, 6, 'UTC') AS last_report_time
            FROM clients_named
            WHERE client_id IN (SELECT arrayJoin(page_ids))
        ) AS f
        GROUP BY client_id
    ),
