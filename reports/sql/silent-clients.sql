-- title: Silent clients
-- group: Completeness
-- columns: netbios_name!, verdict!, last_report, last_policy, unsent, client_version, client_id
-- empty: every client has reported within that time
-- description: Clients that have not reported for a while, the longest silent first, and whether they still ask for
--   their policy: one that does and holds back what it has is a different case from one that is switched off.
-- param hours UInt32 = 24 in 1..100000: From how many hours without a report on
-- param verdict String = '' in '', connected but silent, connected with nothing to say, silent, never reported: Only
--   these
-- param collection String = '': Only members of this collection
-- order: _last_report DateTime64(6,'UTC'), client_id UUID
-- note verdict: connected = it asks for its policy, whatever its connection to the notification server
-- note last_report: empty = never
-- note last_policy: when it last asked for its policy
-- note unsent: states that it said wait to be sent; empty when it never said
-- link netbios_name: /clients/{client_id}
-- link client_id: /clients/{client_id}
-- with: named
WITH
    connecting AS
    (
        SELECT client_id FROM client_claims
        WHERE {verdict:String} NOT IN ('', 'never reported')
        GROUP BY client_id
        HAVING max(client_claims.claimed_time) >= now64(6, 'UTC') - toIntervalHour({hours:UInt32})
    ),
    longest AS
    (
        SELECT client_id, last_report
        FROM
        (
            SELECT client_id, CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')') AS last_report
            FROM clients_seen FINAL
            WHERE last_report < now64(6, 'UTC') - toIntervalHour({hours:UInt32})
              AND client_id NOT IN (SELECT client_id FROM retired_clients)
            UNION ALL
            SELECT client_id, toDateTime64(0, 6, 'UTC') AS last_report
            FROM clients_unreported
        )
        WHERE ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND ({after:UInt8} = 0 OR (last_report, client_id) > ({after__last_report:DateTime64(6,'UTC')},
            {after_client_id:UUID}))
          AND multiIf({verdict:String} = '', 1,
                      toUnixTimestamp64Micro(last_report) = 0, {verdict:String} = 'never reported',
                      {verdict:String} = 'silent', client_id NOT IN (SELECT client_id FROM connecting),
                      startsWith({verdict:String}, 'connected'), client_id IN (SELECT client_id FROM connecting),
                      0)
        ORDER BY last_report, client_id
        -- The two kinds of clients that ask for their policy are told apart below.
        LIMIT if(startsWith({verdict:String}, 'connected'), toUInt64(1000000000), {page_rows:UInt64})
    ),
    (SELECT groupArray((client_id, last_report)) FROM longest) AS quiet_rows,
    arrayMap(q -> q.1, quiet_rows) AS quiet_ids,
    quiet AS (SELECT arrayJoin(quiet_rows) AS q, q.1 AS client_id, q.2 AS last_report),
    judged AS
    (
        SELECT
            quiet.client_id AS client_id, quiet.last_report AS last_report, claim.polled AS last_policy,
                cache.unsent AS unsent,
            multiIf(toUnixTimestamp64Micro(last_report) = 0, 'never reported',
                    last_policy < now64(6, 'UTC') - toIntervalHour({hours:UInt32}), 'silent',
                    cache.unsent = 0 AND claim.serial <= s.seen
                        AND toUnixTimestamp64Micro(cache.claimed_time) > 0, 'connected with nothing to say',
                    'connected but silent') AS verdict
        FROM quiet
        LEFT JOIN
        (
            SELECT client_id, max(client_claims.claimed_time) AS polled, max(client_claims.last_serial) AS serial
            FROM client_claims WHERE client_id IN (SELECT arrayJoin(quiet_ids)) GROUP BY client_id
        ) AS claim ON claim.client_id = quiet.client_id
        LEFT JOIN
        (
            SELECT client_id, toNullable(client_caches.unsent) AS unsent, client_caches.claimed_time AS claimed_time
            FROM client_caches FINAL WHERE client_id IN (SELECT arrayJoin(quiet_ids))
                AND client_caches.unsent < 4294967295
        ) AS cache ON cache.client_id = quiet.client_id
        LEFT JOIN
        (
            SELECT client_id, max(client_stats_data.last_serial) AS seen FROM client_stats_data
                WHERE client_id IN (SELECT arrayJoin(quiet_ids)) GROUP BY client_id
        ) AS s ON s.client_id = quiet.client_id
    ),
    page AS
    (
        SELECT client_id, last_report, last_policy, unsent, verdict
        FROM judged
        WHERE {verdict:String} = '' OR verdict = {verdict:String}
        ORDER BY last_report, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM page) AS page_ids
SELECT
    c.netbios_name AS netbios_name,
    page.verdict AS verdict,
    nullIf(page.last_report, toDateTime64(0, 6, 'UTC')) AS last_report,
    nullIf(page.last_policy, toDateTime64(0, 6, 'UTC')) AS last_policy,
    page.unsent AS unsent,
    c.client_version AS client_version,
    page.client_id AS client_id,
    page.last_report AS _last_report
FROM page
LEFT JOIN (SELECT client_id, netbios_name, client_version FROM named) AS c ON c.client_id = page.client_id
ORDER BY _last_report, client_id
