-- title: Machines of one subject
-- group: Compliance
-- columns: computer!, class!, cause, since, last_report, error, params, since_known, client_id
-- empty: no machine is in this class
-- description: The machines behind the report subject, each in its class: what it said last, since when, and where
--   nothing is known of it, why. What fails comes first, who does not count last.
-- param subject String: Title, topic id, or KIND/ID such as update/KB5043080
-- param class String = '' in '', compliant, not_compliant, bad, pending, restart, failed, not_applicable, not_applicable_implied, said_unknown, not_known, said_nothing, unknown, other, outside: Only these; not_compliant is bad, pending, restart and failed, unknown is said_unknown and not_known;
--   with as_of, said_nothing are those that were asked and had said nothing by then
-- param cause String = '' in '', waiting, gap, set_aside, unsent, silent, clock, not_scanned, never_told, said_unknown, said_nothing: Only these of those that are not known
-- param collection String = '': Only the members of this collection; empty takes the site
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: _place UInt8, client_id UUID
-- note since: time of the first message of the unbroken run of this state, by the client's clock; repeats don't move it
-- note since_known: exact; or earlier = the stored history begins within the run, so the change may be older; messages missing = serials after the last different state never arrived
-- note cause: the first reason that applies why nothing is known of the machine
-- note error: the first parameter that looks like a failure code; not said with as_of
-- link computer: /clients/{client_id}
-- link client_id: client-states?client={client_id}&as_of={as_of}&tz={tz}
-- with: stated, asked, scope, codes, rule, quiet, placed | picked, stated, asked, codes, quiet, named
WITH
    ['failed', 'restart', 'pending', 'bad', 'not_known', 'said_nothing', 'said_unknown', 'compliant', 'not_applicable',
        'not_applicable_implied', 'other', 'outside'] AS places,
    everybody AS
    (
        -- if class in outside:
        SELECT toUInt8(length(places)) AS place, client_id, 'outside' AS class, '' AS cause
        FROM scope
        WHERE client_id NOT IN (SELECT client_id FROM placed WHERE class != 'outside')
        -- else:
        SELECT toUInt8(indexOf(places, class)) AS place, client_id, class, cause
        FROM placed
        WHERE class != 'outside'
        -- end:
    )
SELECT place, client_id, class
FROM everybody
WHERE multiIf({class:String} = '', 1,
              {class:String} = 'not_compliant', class IN ('bad', 'pending', 'restart', 'failed'),
              {class:String} = 'unknown', class IN ('said_unknown', 'not_known', 'said_nothing'),
              -- if as_of:
              {class:String} IN ('not_known', 'not_applicable_implied'), class = 'said_nothing',
              -- end:
              class = {class:String})
-- if cause:
  -- if as_of:
  AND class = if({cause:String} = 'said_unknown', 'said_unknown', 'said_nothing')
  -- else:
  AND (cause = {cause:String} OR {cause:String} = 'said_unknown' AND class = 'said_unknown')
  -- end:
-- end:
  AND ({after:UInt8} = 0 OR (place, client_id) > ({after__place:UInt8}, {after_client_id:UUID}))
ORDER BY place, client_id
LIMIT {page_rows:UInt64}
-- details:
WITH
    page AS
    (
        SELECT arrayJoin(arrayZip({page_place:Array(UInt8)}, page_ids, {page_class:Array(String)})) AS p,
            p.1 AS place, p.2 AS client_id, p.3 AS class
    ),
    -- The state that put a machine into its class: that of the leading type, or the latest detail.
    deciding AS
    (
        SELECT
            client_id,
            argMin((t.topic_type, t.state_id, t.message_time, t.params), (if(t.lead = 0, 255, t.lead), bitNot(t.place))) AS one,
            one.1 AS of_type, one.2 AS state, one.3 AS at, one.4 AS texts
        FROM
        (
            SELECT
                client_id, topic_type, state_id, message_time, params,
                toUInt8(indexOf(leading_types, topic_type)) AS lead,
                bitShiftLeft(toUInt128(serial), 64) + toUInt128(toUnixTimestamp64Milli(message_time)) AS place,
                transform(bitShiftLeft(toUInt64(topic_type), 32) + state_id, arrayPushBack(known.1, toUInt64(0)),
                    arrayPushBack(known.2, toUInt8(0)),
                    toUInt8(indexOf(said_classes, if(the_kind = 'other', 'other', 'said_unknown')))) AS code
            FROM stated
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
              AND client_id IN (SELECT arrayJoin(page_ids))
        ) AS t
        INNER JOIN (SELECT client_id, class FROM page) AS p ON p.client_id = t.client_id AND said_classes[t.code] = p.class
        GROUP BY client_id
    ),
    -- One entry per message: copies collapse to their first arrival, a serial used twice to the message that counts.
    messages AS
    (
        SELECT client_id, topic_type, serial, payload_hash, any(state_id) AS state, any(message_time) AS at,
            any(message_us) AS at_us, min(received_time) AS arrived
        FROM state_messages
        WHERE client_id IN (SELECT arrayJoin(page_ids)) AND topic_id = the_id
          AND topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types)))
        -- if as_of:
          AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        -- end:
        GROUP BY client_id, topic_type, serial, payload_hash
    ),
    -- In the order that counts: instant messages by arrival below all numbered ones, those by serial.
    history AS
    (
        SELECT
            client_id,
            topic_type,
            arraySort(groupArray((serial, if(serial = 0, toUnixTimestamp64Micro(arrived), 0),
                                  at_us, payload_hash, state, at))) AS sorted,
            arrayFilter((m, later) -> m.1 = 0 OR m.1 != later, sorted,
                arrayPushBack(arrayPopFront(arrayMap(m -> m.1, sorted)), toUInt64(0))) AS h
        FROM messages
        GROUP BY client_id, topic_type
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
    c.netbios_name AS computer,
    page.class AS class,
    why.cause AS cause,
    d.of_type > 0 AS _told,
    if(_told, if(n.state_name != '', n.state_name, concat('State ', toString(d.state))), '') AS state_name,
    arrayLastIndex(m -> m.5 != d.state, history.h) AS _other,
    if(_told, toNullable(if(_other < length(history.h), history.h[_other + 1].6, d.at)), NULL) AS since,
    multiIf(NOT _told, '',
            gaps.last_missing > if(_other = 0, 0, history.h[_other].1), 'messages missing',
            _other >= length(history.h), 'or earlier',
            _other > 0, 'exact',
            arrivals.has_first AND arrivals.oldest_held <= c.first_report_time, 'exact',
            'or earlier') AS since_known,
    nullIf(c.last_report_time, toDateTime64(0, 6, 'UTC')) AS last_report,
    arrayFirst(p -> match(p, '^(0[xX][89A-Fa-f][0-9A-Fa-f]{7}|-[1-9][0-9]{6,9})$')
        OR match(p, '^[0-9]{10}$') AND toUInt64OrZero(p) BETWEEN 2147483648 AND 4294967295, d.texts) AS error,
    d.texts AS params,
    page.client_id AS client_id,
    page.place AS _place
FROM page
LEFT JOIN (SELECT client_id, cause FROM quiet) AS why ON why.client_id = page.client_id
LEFT JOIN deciding AS d ON d.client_id = page.client_id
LEFT JOIN history ON history.client_id = d.client_id AND history.topic_type = d.of_type
LEFT JOIN arrivals ON arrivals.client_id = page.client_id
LEFT JOIN gaps ON gaps.client_id = page.client_id
LEFT JOIN (SELECT client_id, netbios_name, first_report_time, last_report_time FROM named) AS c
    ON c.client_id = page.client_id
LEFT JOIN (SELECT topic_type AS named_type, state_id AS named_state, any(state_name) AS state_name FROM state_names
    GROUP BY named_type, named_state) AS n ON n.named_type = d.of_type AND n.named_state = d.state
ORDER BY _place, client_id
