-- title: State messages of one client
-- group: Clients
-- columns: serial!, state_name!, message_time, topic_name, title, topic_id, received_time, params, loaded_time,
--   topic_type, state_id, details, copies, source_file, client_id
-- empty: no client of this id or name has sent a message
-- description: What one computer sent, newest serial first, as far as history is kept: each message once, with its
--   times and file.
-- param client String: Client id (with or without GUID:) or computer name
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- param topic_id String = '': One topic id; empty takes all
-- param state_id Int64 = -1 in -1..4294967295: One state; -1 takes all
-- param from_serial UInt64 = 0: Only serials from here on
-- param to_serial UInt64 = 0: Only serials up to here; 0 sets no bound
-- order: serial UInt64 desc, message_time DateTime64(3,'UTC') desc, client_id UUID, _hash UInt64
-- note serial: 0 means an instant message without a serial number
-- note copies: how often the message is stored until the engine merges its copies; they count once everywhere
-- link serial: /clients/{client_id}?serial={serial}
-- link topic_id: client-states?client={client_id}&topic_type={topic_type}
-- with: wanted, titled
WITH
    (SELECT groupUniqArray(topic_id) FROM state_messages WHERE client_id IN (SELECT arrayJoin(wanted_ids))
        AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
        AND ({topic_id:String} = '' OR topic_id = {topic_id:String})) AS page_topics,
    seen AS
    (
        SELECT
            client_id,
            serial,
            payload_hash,
            any(topic_type) AS seen_type,
            any(topic_id) AS seen_id,
            any(state_id) AS seen_state,
            any(message_time) AS sent,
            min(received_time) AS arrived,
            min(loaded_time) AS loaded,
            argMin(source_file, received_time) AS first_file,
            any(params) AS seen_params,
            any(details) AS seen_details,
            count() AS stored
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(wanted_ids))
          AND serial >= {from_serial:UInt64} AND ({to_serial:UInt64} = 0 OR serial <= {to_serial:UInt64})
          AND ({topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32})
          AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          AND ({state_id:Int64} < 0 OR state_id = {state_id:Int64})
        GROUP BY client_id, serial, payload_hash
    )
SELECT
    s.serial AS serial,
    s.sent AS message_time,
    s.arrived AS received_time,
    s.loaded AS loaded_time,
    s.seen_type AS topic_type,
    if(t.topic != '', t.topic, concat('Topic type ', toString(s.seen_type))) AS topic,
    t.topic_name AS topic_name,
    if(titled.title != '', titled.title, s.seen_id) AS title,
    s.seen_id AS topic_id,
    s.seen_state AS state_id,
    if(n.state_name != '', n.state_name, concat('State ', toString(s.seen_state))) AS state_name,
    s.seen_params AS params,
    s.seen_details AS details,
    s.first_file AS source_file,
    s.stored AS copies,
    s.client_id AS client_id,
    s.payload_hash AS _hash
FROM seen AS s
LEFT JOIN titled ON titled.titled_type = s.seen_type AND titled.titled_id = s.seen_id
LEFT JOIN (SELECT topic_type AS named_type, any(topic_name) AS topic_name, any(topic) AS topic FROM topic_names
    GROUP BY named_type) AS t
    ON t.named_type = s.seen_type
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named) AS n
    ON n.named_type = s.seen_type AND n.named = s.seen_state
