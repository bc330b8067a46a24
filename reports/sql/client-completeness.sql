-- title: Completeness by client
-- group: Completeness
-- description: What share of each client's messages has arrived, the least complete first, as of the last gap check. Expected are the
--   serials from the client's floor (1, or where its latest completed resync or accepted baseline began) to the greatest seen or claimed.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param only String = 'incomplete' in incomplete, all: Only clients of which messages are missing, or all
-- order: percent Float64, client_id UUID
-- note percent: of the expected serials, rounded down
-- note floor: serials below it no longer count
-- note claimed: the greatest serial the client says that it has given out
-- link netbios_name: /clients/{client_id}
-- link client_id: messages?client={client_id}
-- link ranges: missing-ranges?client={client_id}
WITH
    wanted AS
    (
        SELECT client_id FROM clients WHERE {client:String} != '' AND lower(netbios_name) = lower(trim({client:String}))
        UNION ALL
        SELECT toUUIDOrZero(replaceRegexpOne(trim({client:String}), '(?i)^guid:', '')) AS client_id
    ),
    gaps AS
    (
        SELECT client_id, toUInt64(last_serial - first_serial + 1) AS missing, detected_time
        FROM missing_ranges FINAL
        WHERE closed = 0 AND ({client:String} = '' OR client_id IN (SELECT client_id FROM wanted))
    ),
    facts AS
    (
        SELECT client_id, client_stats_data.last_serial AS seen, toUInt64(0) AS claimed, toUInt64(0) AS floor, toUInt64(0) AS missing, 0 AS ranges, NULL AS detected
        FROM client_stats_data
        WHERE ({client:String} = '' OR client_id IN (SELECT client_id FROM wanted)) AND ({only:String} = 'all' OR client_id IN (SELECT client_id FROM gaps))
        UNION ALL
        SELECT client_id, toUInt64(0) AS seen, client_claims.last_serial AS claimed, toUInt64(0) AS floor, toUInt64(0) AS missing, 0 AS ranges, NULL AS detected
        FROM client_claims
        WHERE ({client:String} = '' OR client_id IN (SELECT client_id FROM wanted)) AND ({only:String} = 'all' OR client_id IN (SELECT client_id FROM gaps))
        UNION ALL
        SELECT client_id, toUInt64(0) AS seen, toUInt64(0) AS claimed, client_floors.floor AS floor, toUInt64(0) AS missing, 0 AS ranges, NULL AS detected
        FROM client_floors
        WHERE ({client:String} = '' OR client_id IN (SELECT client_id FROM wanted)) AND ({only:String} = 'all' OR client_id IN (SELECT client_id FROM gaps))
        UNION ALL
        SELECT client_id, toUInt64(0) AS seen, toUInt64(0) AS claimed, toUInt64(0) AS floor, missing, 1 AS ranges, toNullable(detected_time) AS detected FROM gaps
    ),
    page AS
    (
        SELECT
            client_id,
            greatest(max(facts.floor), 1) AS low,
            max(facts.seen) AS seen,
            max(facts.claimed) AS claimed,
            sum(facts.missing) AS missing,
            sum(facts.ranges) AS ranges,
            min(facts.detected) AS oldest,
            toUInt64(if(greatest(seen, claimed) >= low, greatest(seen, claimed) - low + 1, 0)) AS expected,
            if(ranges = 0 OR expected = 0, 100., least(floor(100 * greatest(1 - missing / expected, 0), 2), 99.99)) AS percent
        FROM facts
        GROUP BY client_id
        HAVING {after:UInt8} = 0 OR (percent, client_id) > ({after_percent:Float64}, {after_client_id:UUID})
        ORDER BY percent, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.percent AS percent,
    page.missing AS missing_messages,
    toUInt64(page.ranges) AS ranges,
    page.oldest AS oldest_missing,
    page.expected AS expected_messages,
    page.low AS floor,
    page.seen AS last_serial,
    page.claimed AS claimed,
    c.last_report_time AS last_report,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM clients WHERE client_id IN (SELECT arrayJoin(page_ids))) AS c ON c.client_id = page.client_id
ORDER BY percent, client_id
