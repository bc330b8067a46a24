-- title: Clients with an error code
-- group: Compliance
-- columns: netbios_name!, error_code!, title, topic_id, message_time, params, received_time, last_report, serial,
--   client_id
-- empty: no client is in this state with this error code
-- description: The clients in a failed state, newest failure first; with a code, those behind one line of the report
--   failures.
-- param topic_type UInt32: Topic type
-- param state_id UInt32: State
-- param code String = '*': Error code as the report failures writes it; * takes all, empty those without a code
-- param parameter UInt8 = 0 in 0..64: Which parameter holds the code, counted from 1; 0 takes the first that looks like
--   a failure code
-- param collection String = '': Only the members of this collection; empty takes the site
-- order: message_time DateTime64(3,'UTC') desc, client_id UUID, topic_id String
-- link client_id: client-states?client={client_id}
-- link netbios_name: /clients/{client_id}
-- with: named, titled
WITH
    coded AS
    (
        SELECT
            client_id,
            topic_id,
            message_time,
            received_time,
            serial,
            params,
            if({parameter:UInt8} > 0, params[{parameter:UInt8}],
               arrayFirst(p -> match(p, '^(0[xX][89A-Fa-f][0-9A-Fa-f]{7}|-[1-9][0-9]{6,9})$')
                       OR match(p, '^[0-9]{10}$')
                           AND toUInt64OrZero(p) BETWEEN 2147483648 AND 4294967295, params)) AS given,
            toInt64OrZero(given) AS number,
            multiIf(match(given, '^0[xX][0-9A-Fa-f]{1,8}$'), concat('0x', leftPad(upper(substring(given, 3)), 8, '0')),
                    match(given, '^-?[0-9]{1,10}$') AND number >= -2147483648 AND number <= 4294967295,
                        concat('0x', leftPad(hex(reinterpretAsUInt32(toInt32(number))), 8, '0')),
                    given) AS error_code
        FROM current_states
        WHERE topic_type = {topic_type:UInt32} AND state_id = {state_id:UInt32}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
    ),
    latest AS
    (
        SELECT client_id, topic_id, error_code, message_time, received_time, serial, params
        FROM coded
        WHERE ({code:String} = '*' OR lower(error_code) = lower({code:String}))
          AND ({after:UInt8} = 0 OR message_time < {after_message_time:DateTime64(3,'UTC')}
               OR message_time = {after_message_time:DateTime64(3,'UTC')}
                   AND (client_id, topic_id) > ({after_client_id:UUID}, {after_topic_id:String}))
        ORDER BY message_time DESC, client_id, topic_id
        LIMIT {page_rows:UInt64}
    ),
    -- They are looked for once: read as a table, for their ids and for themselves.
    (SELECT groupArray((client_id, topic_id, error_code, message_time, received_time, serial, params))
        FROM latest) AS made,
    arrayMap(p -> p.1, made) AS page_ids,
    arrayMap(p -> p.2, made) AS page_topics,
    page AS
    (
        SELECT arrayJoin(made) AS p, p.1 AS client_id, p.2 AS topic_id, p.3 AS error_code, p.4 AS message_time,
            p.5 AS received_time, p.6 AS serial, p.7 AS params
    )
SELECT
    c.netbios_name AS netbios_name,
    if(titled.title != '', titled.title, page.topic_id) AS title,
    page.topic_id AS topic_id,
    page.error_code AS error_code,
    page.message_time AS message_time,
    page.received_time AS received_time,
    c.last_report_time AS last_report,
    page.serial AS serial,
    page.params AS params,
    page.client_id AS client_id
FROM page
LEFT JOIN (SELECT client_id, netbios_name, last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN titled ON titled.titled_type = {topic_type:UInt32} AND titled.titled_id = page.topic_id
ORDER BY message_time DESC, client_id, topic_id
