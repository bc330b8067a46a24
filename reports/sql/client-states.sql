-- title: All states of one client
-- group: Clients
-- columns: topic_name!, state_name!, title, topic_id, last_state_changed, last_message_received, change_known, params,
--   topic_type, state_id, serial, last_message_time, criticality, netbios_name, client_id
-- empty: no client of this id or name has told a state
-- description: What one computer last said on every topic, with the time since which each state holds.
-- param client String: Client id (with or without GUID:) or computer name
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: topic_type UInt32, topic_id String, client_id UUID
-- note params: with as_of not kept, as criticality
-- note last_state_changed: time of the first message of the unbroken run of this state, by the client's clock; repeats don't move it
-- note change_known: exact; or earlier = the stored history begins within the run, so the change may be older; messages missing = serials after the last different state never arrived
-- link topic_type: compliance?topic_type={topic_type}&as_of={as_of}&tz={tz}
-- link topic_id: compliance?topic_type={topic_type}&topic_id={topic_id}&as_of={as_of}&tz={tz}
-- link state_name: clients-in-state?topic_type={topic_type}&state_id={state_id}&topic_id={topic_id}&as_of={as_of}&tz={tz}
-- link serial: messages?client={client_id}&topic_type={topic_type}&topic_id={topic_id}
-- with: stated, wanted, named, titled
WITH
    wanted_ids AS page_ids,
    (SELECT groupUniqArray(topic_id) FROM current_states WHERE client_id IN (SELECT arrayJoin(wanted_ids))
        AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})) AS page_topics,
    page AS
    (
        SELECT client_id, topic_type, topic_id, state_id, criticality, serial, message_time, received_time, params
        FROM stated
        WHERE client_id IN (SELECT arrayJoin(wanted_ids))
          AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
        -- if as_of:
        -- History lies in the order of topics.
          AND (topic_type, topic_id) IN
              (SELECT topic_type, topic_id FROM current_states WHERE client_id IN (SELECT arrayJoin(wanted_ids)))
        -- end:
    ),
    -- One entry per message: copies collapse to their first arrival, a serial used twice to the message that counts.
    messages AS
    (
        SELECT client_id, topic_type, topic_id, serial, payload_hash, any(state_id) AS state, any(message_time) AS at,
            any(message_us) AS at_us, min(received_time) AS arrived
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(wanted_ids))
        -- if as_of:
          AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        -- end:
        GROUP BY client_id, topic_type, topic_id, serial, payload_hash
    ),
    -- In the order that counts: instant messages by arrival below all numbered ones, those by serial.
    history AS
    (
        SELECT
            client_id,
            topic_type,
            topic_id,
            arraySort(groupArray((serial, if(serial = 0, toUnixTimestamp64Micro(arrived), 0),
                                  at_us, payload_hash, state, at))) AS sorted,
            arrayFilter((m, later) -> m.1 = 0 OR m.1 != later, sorted,
                arrayPushBack(arrayPopFront(arrayMap(m -> m.1, sorted)), toUInt64(0))) AS h
        FROM messages
        GROUP BY client_id, topic_type, topic_id
    ),
    arrivals AS
    (
        SELECT client_id, min(received_time) AS oldest_held, countIf(serial = 1) > 0 AS has_first
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(wanted_ids))
        GROUP BY client_id
    ),
    gaps AS
    (
        SELECT ClientID AS client_id, max(LastSerial) AS last_missing
        FROM SR_MissingMessageRanges
        WHERE ClientID IN (SELECT arrayJoin(wanted_ids))
        GROUP BY client_id
    )
SELECT
    page.topic_type AS topic_type,
    if(t.topic != '', t.topic, concat('Topic type ', toString(page.topic_type))) AS topic,
    t.topic_name AS topic_name,
    if(titled.title != '', titled.title, page.topic_id) AS title,
    page.topic_id AS topic_id,
    page.state_id AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(page.state_id))) AS state_name,
    arrayLastIndex(m -> m.5 != page.state_id, history.h) AS _other,
    if(_other < length(history.h), history.h[_other + 1].6, page.message_time) AS last_state_changed,
    multiIf(gaps.last_missing > if(_other = 0, 0, history.h[_other].1), 'messages missing',
            _other >= length(history.h), 'or earlier',
            _other > 0, 'exact',
            arrivals.has_first AND arrivals.oldest_held <= c.first_report_time, 'exact',
            'or earlier') AS change_known,
    page.received_time AS last_message_received,
    page.message_time AS last_message_time,
    page.criticality AS criticality,
    page.params AS params,
    page.serial AS serial,
    c.netbios_name AS netbios_name,
    page.client_id AS client_id
FROM page
LEFT JOIN history ON history.client_id = page.client_id AND history.topic_type = page.topic_type
    AND history.topic_id = page.topic_id
LEFT JOIN arrivals ON arrivals.client_id = page.client_id
LEFT JOIN gaps ON gaps.client_id = page.client_id
LEFT JOIN (SELECT client_id, netbios_name, first_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN titled ON titled.titled_type = page.topic_type AND titled.titled_id = page.topic_id
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names
    GROUP BY named_type) AS t
    ON t.named_type = page.topic_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = page.topic_type AND n.named = page.state_id
