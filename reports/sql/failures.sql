-- title: Failures by error code
-- group: Compliance
-- columns: state_name!, error_code!, clients!, meaning, topic_name, topic_ids, newest_message, oldest_message,
--   topic_type, state_id
-- empty: no client is in a state that is a failure
-- description: Which failures clients are in right now, counted by the error code in their parameters. A state counts
--   as a failure when its name says so. Codes are written as eight hexadecimal digits, however the client wrote them.
-- param topic_type UInt32 = 0: One topic type; 0 takes all
-- param parameter UInt8 = 0 in 0..64: Which parameter holds the code, counted from 1; 0 takes the first that looks like
--   a failure code
-- param code String = '': Only this error code, for example 0x80240022
-- param failing String = '(?i)\bfail|\berrors?\b|not successful|not supported|n.t supported|can.t|invalid|n.t valid|non-valid|not valid|unavailable|incorrect|mismatch|missing|not match|disk is full|isn.t MS signed|disallowed': What the name of a failure looks like, as a regular expression
-- param collection String = '': Only the members of this collection; empty takes the site
-- order: clients UInt64 desc, topic_type UInt32, state_id UInt32, error_code String
-- note error_code: empty when no parameter looks like one
-- note topic_ids: how many different deployments, updates or items
-- note title: of the one that most of these failures are about
-- link clients: failing-clients?topic_type={topic_type}&state_id={state_id}&code={error_code}&collection={collection}
-- link state_name: clients-in-state?topic_type={topic_type}&state_id={state_id}&collection={collection}
-- with: titled
WITH
    names AS
    (
        SELECT topic_type AS named_type, state_id AS named, any(state_name) AS state_name, any(topic_name) AS topic_name,
            any(topic) AS topic
        FROM state_names
        WHERE {topic_type:UInt32} = 0 OR topic_type = {topic_type:UInt32}
        GROUP BY named_type, named
        HAVING match(state_name, {failing:String})
    ),
    coded AS
    (
        SELECT
            topic_type,
            topic_id,
            state_id,
            client_id,
            message_time,
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
        WHERE (topic_type, state_id) IN (SELECT named_type, named FROM names)
          AND ({collection:String} = ''
               OR client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String}))
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
    ),
    grouped AS
    (
        SELECT
            s.topic_type AS topic_type,
            any(n.topic) AS topic,
            any(n.topic_name) AS topic_name,
            s.state_id AS state_id,
            any(n.state_name) AS state_name,
            s.error_code AS error_code,
            transform(s.error_code,
                ['0x80004005', '0x8000FFFF', '0x80070002', '0x80070003', '0x80070005', '0x8007000E', '0x80070020', '0x80070070',
                 '0x80070643', '0x80070652', '0x800705B4', '0x80070BC2', '0x80070BC9', '0x80072EE2', '0x80072EE7', '0x80072EFD',
                     '0x80072EFE', '0x80072F8F',
                 '0x80073712', '0x800F081F', '0x800F0922', '0x80092004', '0x80096004', '0x80240016', '0x80240017', '0x8024001E',
                     '0x80240022',
                 '0x80242014', '0x80244010', '0x80244019', '0x80244022', '0x8024402C', '0x80246007', '0x80248007', '0x80200053',
                 '0x87D00215', '0x87D00324', '0x87D00664', '0x87D00667', '0x87D00668'],
                ['unspecified error', 'unexpected failure', 'file not found', 'path not found', 'access denied',
                    'out of memory', 'file in use by another process', 'disk full',
                 'installation failed', 'another installation is running', 'timed out', 'restart required to finish',
                     'restart required, earlier one failed', 'network request timed out', 'server name not resolved',
                     'could not connect to the server', 'connection broken', 'secure connection failed: certificate or clock',
                 'component store corrupt', 'source files not found', 'an installer of the update failed',
                     'certificate not found', 'signature could not be verified',
                     'another installation in progress or restart pending', 'update not applicable', 'service is stopping',
                     'all updates failed',
                 'restart pending', 'too many round trips to the update server', 'not found on the update server',
                     'update server unavailable', 'proxy or server name not resolved', 'update not downloaded',
                     'update data store has no such item', 'downloaded data failed validation',
                 'item not found', 'application not detected after installation', 'job cancelled',
                     'no maintenance window that is long enough', 'update still needed after installation'],
                '') AS meaning,
            uniqExact(s.client_id) AS clients,
            uniqExact(s.topic_id) AS topic_ids,
            topK(1)(s.topic_id)[1] AS topic_id,
            min(s.message_time) AS oldest_message,
            max(s.message_time) AS newest_message
        FROM coded AS s
        INNER JOIN names AS n ON n.named_type = s.topic_type AND n.named = s.state_id
        WHERE {code:String} = '' OR lower(s.error_code) = lower({code:String})
        GROUP BY topic_type, state_id, error_code
    ),
    -- They are counted once: read as a table, for their ids and for themselves.
    (SELECT groupArray((topic_type, topic, topic_name, state_id, state_name, error_code, meaning, clients, topic_ids,
        topic_id, oldest_message, newest_message)) FROM grouped) AS made,
    arrayMap(p -> p.10, made) AS page_topics,
    page AS (SELECT arrayJoin(made) AS p)
SELECT
    p.1 AS topic_type,
    if(p.2 != '', p.2, concat('Topic type ', toString(p.1))) AS topic,
    p.3 AS topic_name,
    p.4 AS state_id,
    p.5 AS state_name,
    p.6 AS error_code,
    p.7 AS meaning,
    p.8 AS clients,
    p.9 AS topic_ids,
    if(titled.title != '', titled.title, p.10) AS title,
    p.11 AS oldest_message,
    p.12 AS newest_message,
    p.10 AS topic_id
FROM page
LEFT JOIN titled ON titled.titled_type = p.1 AND titled.titled_id = p.10
