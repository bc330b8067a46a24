-- title: Clients in a given state of a topic
-- group: Compliance
-- columns: netbios_name!, state_name!, title, topic_id, last_state_changed, last_message_received, change_known, params,
--   last_report, serial, last_message_time, client_id
-- empty: no client is in this state
-- description: The computers in a specific compliance state, the longest silent first, with the last message received
--   on the topic and the time since which the client has been in this state.
-- param topic_type UInt32: Topic type, for example 300 deployment compliance, 402 update enforcement, 500 update
--   detection
-- param state_id UInt32: State; the report state-names lists them
-- param topic_id String = '': One topic id; empty takes every topic id of the type
-- param collection String = '': Only the members of this collection; empty takes the site
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: last_message_received DateTime64(6,'UTC'), client_id UUID, topic_id String
-- note last_message_received: arrival of the newest message on this topic; the client may have reported on others since (last_report)
-- note last_state_changed: time of the first message of the unbroken run of this state, by the client's clock; repeats don't move it
-- note change_known: exact; or earlier = the stored history begins within the run, so the change may be older; messages missing = serials after the last different state never arrived
-- link client_id: client-states?client={client_id}&as_of={as_of}&tz={tz}
-- link netbios_name: /clients/{client_id}
-- with: stated, named, titled
WITH
    latest AS
    (
        SELECT client_id, topic_id, serial, message_time, received_time, params
        FROM stated
        WHERE topic_type = {topic_type:UInt32}
          AND state_id = {state_id:UInt32}
          AND client_id NOT IN (SELECT client_id FROM gone)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          AND ({after:UInt8} = 0 OR (received_time, client_id, topic_id)
                > ({after_last_message_received:DateTime64(6,'UTC')}, {after_client_id:UUID}, {after_topic_id:String}))
        ORDER BY received_time, client_id, topic_id
        LIMIT {page_rows:UInt64}
    ),
    -- They are looked for once: read as a table, for their ids and for themselves.
    (SELECT groupArray((client_id, topic_id, serial, message_time, received_time, params)) FROM latest) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    arrayMap(p -> p.2, made) AS page_topics,
    page AS
    (
        SELECT arrayJoin(made) AS p, p.1 AS client_id, p.2 AS topic_id, p.3 AS serial, p.4 AS message_time,
            p.5 AS received_time, p.6 AS params
    ),
    -- One entry per message: copies collapse to their first arrival, a serial used twice to the message that counts.
    messages AS
    (
        SELECT client_id, topic_id, serial, payload_hash, any(state_id) AS state, any(message_time) AS at,
            any(message_us) AS at_us, min(received_time) AS arrived
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(page_ids)) AND topic_type = {topic_type:UInt32}
          AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
        -- if as_of:
          AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        -- end:
        GROUP BY client_id, topic_id, serial, payload_hash
    ),
    -- In the order that counts: instant messages by arrival below all numbered ones, those by serial.
    history AS
    (
        SELECT
            client_id,
            topic_id,
            arraySort(groupArray((serial, if(serial = 0, toUnixTimestamp64Micro(arrived), 0),
                                  at_us, payload_hash, state, at))) AS sorted,
            arrayFilter((m, later) -> m.1 = 0 OR m.1 != later, sorted,
                arrayPushBack(arrayPopFront(arrayMap(m -> m.1, sorted)), toUInt64(0))) AS h
        FROM messages
        GROUP BY client_id, topic_id
    ),
    arrivals AS
    (
        SELECT client_id, min(received_time) AS oldest_held, countIf(serial = 1) > 0 AS has_first
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(page_ids))
        GROUP BY client_id
    ),
    gaps AS
    (
        SELECT ClientID AS client_id, max(LastSerial) AS last_missing
        FROM SR_MissingMessageRanges
        WHERE ClientID IN (SELECT arrayJoin(page_ids))
        GROUP BY client_id
    )
SELECT
    c.netbios_name AS netbios_name,
    if(titled.title != '', titled.title, page.topic_id) AS title,
    page.topic_id AS topic_id,
    if(n.state_name != '', n.state_name, concat('State ', toString({state_id:UInt32}))) AS state_name,
    page.received_time AS last_message_received,
    arrayLastIndex(m -> m.5 != {state_id:UInt32}, history.h) AS _other,
    if(_other < length(history.h), history.h[_other + 1].6, page.message_time) AS last_state_changed,
    multiIf(gaps.last_missing > if(_other = 0, 0, history.h[_other].1), 'messages missing',
            _other >= length(history.h), 'or earlier',
            _other > 0, 'exact',
            arrivals.has_first AND arrivals.oldest_held <= c.first_report_time, 'exact',
            'or earlier') AS change_known,
    page.message_time AS last_message_time,
    c.last_report_time AS last_report,
    page.params AS params,
    page.serial AS serial,
    page.client_id AS client_id
FROM page
LEFT JOIN history ON history.client_id = page.client_id AND history.topic_id = page.topic_id
LEFT JOIN arrivals ON arrivals.client_id = page.client_id
LEFT JOIN gaps ON gaps.client_id = page.client_id
LEFT JOIN (SELECT client_id, netbios_name, first_report_time, last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN titled ON titled.titled_type = {topic_type:UInt32} AND titled.titled_id = page.topic_id
LEFT JOIN (SELECT any(state_name) AS state_name, toUInt8(1) AS one FROM state_names
           WHERE topic_type = {topic_type:UInt32} AND state_id = {state_id:UInt32}) AS n ON n.one = toUInt8(1)
ORDER BY last_message_received, client_id, topic_id
