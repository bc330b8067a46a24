-- title: Completeness by client
-- group: Completeness
-- columns: netbios_name!, percent!, missing_messages, ranges, oldest_missing, last_report, expected_messages,
--   last_serial, floor, claimed, client_id
-- empty: no client has reported or asked for its policy yet
-- description: What share of each client's messages has arrived, the least complete first, as of the last gap check.
--   Expected are the serials from the client's floor (1, or where its latest completed resync or accepted baseline
--   began) to the greatest seen or claimed. What is missing below a serial that jumped by more than 1,000,000 is not
--   among them; the report serial-jumps shows it.
-- param client String = '': Client id (with or without GUID:) or computer name; empty takes all
-- param only String = 'incomplete' in incomplete, all: Only clients of which messages are missing, or all
-- order: _percent Float64, client_id UUID
-- note percent: of the expected serials, rounded down; empty = no numbered message of the client is stored, and no gap check found any missing
-- note floor: serials below it no longer count
-- note claimed: the greatest serial the client says that it has given out
-- link netbios_name: /clients/{client_id}
-- link client_id: messages?client={client_id}
-- link ranges: missing-ranges?client={client_id}
-- with: wanted, bounds, named
WITH
    gaps AS
    (
        SELECT client_id, toUInt64(last_serial - first_serial + 1) AS missing, detected_time, jump
        FROM missing_ranges FINAL
        WHERE closed = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
    ),
    -- Clients of which messages are missing, all of them: their share decides the order.
    lacking AS
    (
        SELECT g.client_id AS client_id,
            least(floor(100 * greatest(1 - g.missing / greatest(toInt64(b.high - b.low + 1 - g.apart), 1), 0), 2),
            99.99) AS percent
        FROM (SELECT client_id, sumIf(gaps.missing, jump = 0) AS missing, sumIf(gaps.missing, jump = 1) AS apart
            FROM gaps GROUP BY client_id HAVING missing > 0) AS g
        LEFT JOIN bounds AS b ON b.client_id = g.client_id
    ),
    -- The others follow in the order of their ids, no more than the page holds.
    whole AS
    (
        SELECT client_id, 100. AS percent
        FROM
        (
            SELECT client_id FROM client_stats_data
            WHERE {only:String} = 'all' AND client_id NOT IN (SELECT client_id FROM gaps WHERE jump = 0)
              AND client_id NOT IN (SELECT client_id FROM retired_clients)
              AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
              AND ({after:UInt8} = 0 OR (100., client_id) > ({after__percent:Float64}, {after_client_id:UUID}))
            GROUP BY client_id ORDER BY client_id LIMIT {page_rows:UInt64}
            UNION ALL
            SELECT client_id FROM client_claims
            WHERE {only:String} = 'all' AND client_id NOT IN (SELECT client_id FROM gaps WHERE jump = 0)
              AND client_id NOT IN (SELECT client_id FROM retired_clients)
              AND ({client:String} = '' OR client_id IN (SELECT arrayJoin(wanted_ids)))
              AND ({after:UInt8} = 0 OR (100., client_id) > ({after__percent:Float64}, {after_client_id:UUID}))
            GROUP BY client_id ORDER BY client_id LIMIT {page_rows:UInt64}
        )
        GROUP BY client_id
    ),
    page AS
    (
        SELECT client_id, percent
        FROM (SELECT client_id, percent FROM lacking UNION ALL SELECT client_id, percent FROM whole)
        WHERE {after:UInt8} = 0 OR (percent, client_id) > ({after__percent:Float64}, {after_client_id:UUID})
        ORDER BY percent, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids,
    facts AS
    (
        SELECT client_id, max(f.seen) AS seen, max(f.claimed) AS claimed, greatest(max(f.floor), 1) AS low,
            sum(f.missing) AS missing, sum(f.apart) AS apart, sum(f.ranges) AS ranges, min(f.detected) AS oldest
        FROM
        (
            SELECT client_id, client_stats_data.last_serial AS seen, toUInt64(0) AS claimed, toUInt64(0) AS floor,
                toUInt64(0) AS missing, toUInt64(0) AS apart, 0 AS ranges, NULL AS detected
            FROM client_stats_data WHERE client_id IN (SELECT arrayJoin(page_ids))
            UNION ALL
            SELECT client_id, toUInt64(0) AS seen, client_claims.last_serial AS claimed, toUInt64(0) AS floor,
                toUInt64(0) AS missing, toUInt64(0) AS apart, 0 AS ranges, NULL AS detected
            FROM client_claims WHERE client_id IN (SELECT arrayJoin(page_ids))
            UNION ALL
            SELECT client_id, toUInt64(0) AS seen, toUInt64(0) AS claimed, client_floors.floor AS floor,
                toUInt64(0) AS missing, toUInt64(0) AS apart, 0 AS ranges, NULL AS detected
            FROM client_floors WHERE client_id IN (SELECT arrayJoin(page_ids))
            UNION ALL
            SELECT client_id, toUInt64(0) AS seen, toUInt64(0) AS claimed, toUInt64(0) AS floor,
                if(jump = 0, missing, 0) AS missing, if(jump = 1, gaps.missing, 0) AS apart, jump = 0 AS ranges,
                if(jump = 0, toNullable(detected_time), NULL) AS detected
            FROM gaps WHERE client_id IN (SELECT arrayJoin(page_ids))
        ) AS f
        GROUP BY client_id
    )
SELECT
    c.netbios_name AS netbios_name,
    if(facts.seen = 0 AND facts.ranges = 0, NULL, page.percent) AS percent,
    facts.missing AS missing_messages,
    toUInt64(facts.ranges) AS ranges,
    facts.oldest AS oldest_missing,
    toUInt64(if(greatest(facts.seen, facts.claimed) >= facts.low,
        toUInt64(greatest(toInt64(greatest(facts.seen, facts.claimed) - facts.low + 1 - facts.apart), 0)),
        0)) AS expected_messages,
    facts.low AS floor,
    facts.seen AS last_serial,
    facts.claimed AS claimed,
    c.last_report_time AS last_report,
    page.client_id AS client_id,
    page.percent AS _percent
FROM page
LEFT JOIN facts ON facts.client_id = page.client_id
LEFT JOIN (SELECT client_id, netbios_name, toNullable(named.last_report_time) AS last_report_time FROM named) AS c
    ON c.client_id = page.client_id
ORDER BY _percent, client_id
