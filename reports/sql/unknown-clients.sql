-- title: Clients unknown on a topic, and why
-- group: Compliance
-- description: The clients behind the Unknown bucket: they report to this site but never did on this topic. The reason
--   is the first that applies: messages of the client are missing, records of it were set aside, states wait on the
--   client to be sent, it has been silent, or it simply never said anything about this topic. `statewire explain CLIENT
--   --topic` also looks into the inbox.
-- param topic_type UInt32: Topic type
-- param topic_id String = '': One topic id; empty means never on any topic id of the type
-- param silent_days UInt32 = 7 in 1..3650: From how many days without a report a client counts as silent
-- order: last_report DateTime64(6,'UTC'), client_id UUID
-- note missing_messages: serial numbers of the client that never arrived, as of the last gap check
-- note unsent: states that the client said wait to be sent, when it last asked for its policy; empty when it never said
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- link missing_messages: missing-ranges?client={client_id}
-- with: named
WITH
    -- Whoever ever said anything on the topic has a row in one of the two, merged or not.
    unknown AS
    (
        SELECT client_id, CAST(last_report_time, 'DateTime64(6, \'UTC\')') AS latest
        FROM clients_seen FINAL
        WHERE client_id NOT IN
        (
            SELECT client_id FROM current_states_data
            WHERE topic_type = {topic_type:UInt32} AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
            UNION ALL
            SELECT client_id FROM instant_states_data
            WHERE topic_type = {topic_type:UInt32} AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
        )
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({after:UInt8} = 0 OR (last_report_time, client_id) > ({after_last_report:DateTime64(6,'UTC')},
              {after_client_id:UUID}))
        ORDER BY latest, client_id
        LIMIT {page_rows:UInt64}
    ),
    (SELECT groupArray(client_id) FROM unknown) AS page_ids
SELECT
    page.netbios_name AS netbios_name,
    multiIf(g.missing > 0, 'messages missing: the state may be among them',
            b.bad > 0, 'records set aside: the state may be among them',
            w.unsent > 0 AND page.last_report_time >= now64(3, 'UTC') - toIntervalDay({silent_days:UInt32}),
                'states wait on the client to be sent',
            page.last_report_time < now64(3, 'UTC') - toIntervalDay({silent_days:UInt32}),
                'silent: no report for a long time',
            'never reported on this topic') AS reason,
    page.last_report_time AS last_report,
    page.first_report_time AS first_report,
    g.missing AS missing_messages,
    b.bad AS bad_records,
    w.unsent AS unsent,
    page.client_version AS client_version,
    page.client_id AS client_id
FROM named AS page
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
