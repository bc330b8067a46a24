-- title: Clients unknown on a topic, and why
-- group: Compliance
-- columns: netbios_name!, reason!, last_report, cause, missing_messages, bad_records, unsent, first_report,
--   client_version, client_id
-- empty: every client is known on this topic
-- description: The clients behind the Unknown bucket: they report to this site but never did on this topic. The reason
--   is the first that applies. With a topic id these are members of its target, or for an update clients that scan;
--   without one all that never told of any topic id of the type. `statewire explain CLIENT --topic` says more of one
--   client.
-- param topic_type UInt32: Topic type
-- param topic_id String = '': One topic id; empty means never on any topic id of the type
-- param collection String = '': Only the members of this collection; empty takes the site
-- param cause String = '' in '', waiting, gap, set_aside, unsent, silent, clock, not_scanned, never_told: Only these
-- order: last_report DateTime64(6,'UTC'), client_id UUID
-- note cause: silent = no report for reports.stale_after
-- note missing_messages: serial numbers of the client that never arrived, as of the last gap check
-- note unsent: states that the client said wait to be sent, when it last asked for its policy; empty when it never said
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- link missing_messages: missing-ranges?client={client_id}
-- with: stated, asked, quiet, named
WITH
    unknown AS
    (
        SELECT client_id, s.latest AS latest, c.cause AS cause
        FROM (SELECT client_id, CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')') AS latest
            FROM clients_seen FINAL) AS s
        INNER JOIN
        (
            SELECT client_id, cause
            FROM quiet
            WHERE class = 'not_known' AND ({cause:String} = '' OR cause = {cause:String})
        ) AS c ON c.client_id = s.client_id
        WHERE {after:UInt8} = 0 OR (latest, client_id) > ({after_last_report:DateTime64(6,'UTC')}, {after_client_id:UUID})
        ORDER BY latest, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray((client_id, latest, cause)) FROM unknown) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    page AS (SELECT arrayJoin(made) AS p, p.1 AS client_id, p.2 AS latest, p.3 AS cause)
SELECT
    c.netbios_name AS netbios_name,
    page.cause AS cause,
    transform(page.cause, ['waiting', 'gap', 'set_aside', 'unsent', 'silent', 'clock', 'not_scanned', 'never_told'],
        ['a report of it waits in the inbox', 'messages missing: the state may be among them',
         'records set aside: the state may be among them', 'states wait on the client to be sent',
         'silent: no report for a long time', 'its clock is wrong: its scans cannot be dated',
         'no completed scan since it was first seen', 'never reported on this topic'], page.cause) AS reason,
    page.latest AS last_report,
    c.first_report_time AS first_report,
    g.missing AS missing_messages,
    b.bad AS bad_records,
    w.unsent AS unsent,
    c.client_version AS client_version,
    page.client_id AS client_id
FROM page
LEFT JOIN named AS c ON c.client_id = page.client_id
LEFT JOIN
(
    SELECT ClientID AS client_id, toUInt64(sum(LastSerial - FirstSerial + 1)) AS missing FROM SR_MissingMessageRanges
    WHERE ClientID IN (SELECT arrayJoin(page_ids)) AND SerialJump = 0 GROUP BY client_id
) AS g ON g.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, count() AS bad FROM set_aside_records FINAL WHERE client_id IN (SELECT arrayJoin(page_ids))
        GROUP BY client_id
) AS b ON b.client_id = page.client_id
LEFT JOIN
(
    SELECT client_id, toNullable(client_caches.unsent) AS unsent
    FROM client_caches FINAL WHERE client_id IN (SELECT arrayJoin(page_ids)) AND client_caches.unsent < 4294967295
) AS w ON w.client_id = page.client_id
ORDER BY last_report, client_id
