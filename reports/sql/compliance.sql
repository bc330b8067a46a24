-- title: Compliance by topic
-- group: Compliance
-- columns: topic_id!, state_name!, clients!, percent, class, newest_message, cause, topic_type, state_id
-- empty: no client has told of a topic id of this type
-- description: How many clients are in each state of a topic, one block of rows per topic id (a deployment, an update,
--   a configuration item). Unknown counts the clients that should have told of it and did not, by cause: members of the
--   subject's target, or for an update the clients that scan. Who else said nothing of it is in no line. With a
--   collection, Unknown is there when one topic id is asked for. docs/compliance.md has the rule.
--   Topic ids that changed since the site's summary are counted anew, the smaller ones first, up to 300,000 states in
--   all. The others are as old as the summary; the report freshness tells since when that is.
-- param topic_type UInt32 = 300: Topic type; the report state-names lists them
-- param topic_id String = '': One topic id; empty takes every topic id of the type
-- param collection String = '': Only the members of this collection; empty takes the site
-- param as_of String = '': As of this moment, by arrival at the site: a date is its end; empty takes now
-- param tz String = '': IANA time zone of a date; empty takes reports.timezone
-- order: topic_id String, _place UInt64
-- bars: topic_id, state_name, clients
-- note percent: of the clients that count for this topic id: its target's members, those that scan, or those that told of it
-- note class: what the state means for compliance
-- note newest_message: the client's own clock, at the latest change any client in this state told of
-- link clients: clients-in-state?topic_type={topic_type}&topic_id={topic_id}&state_id={state_id}&collection={collection}&as_of={as_of}&tz={tz}
-- link topic_id: compliance?topic_type={topic_type}&topic_id={topic_id}&collection={collection}&as_of={as_of}&tz={tz}
-- with: stated, asked, codes, rule, quiet, placed
WITH
    counted AS
    (
        -- if counted_from in now, then, days:
        SELECT topic_id, state_id, count() AS clients, max(message_time) AS newest
        FROM stated
        WHERE topic_type = {topic_type:UInt32}
          AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
          -- else:
          AND client_id NOT IN (SELECT client_id FROM gone)
          -- end:
        GROUP BY topic_id, state_id
        -- else:
        SELECT topic_id, state_id, clients, newest
        FROM subject_states
        WHERE topic_type = {topic_type:UInt32} AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
        -- end:
    ),
    -- How many clients count, and of how many nothing is known, by cause.
    -- if counted_from in now, then:
    -- A value is counted once, however often it is read.
    (
        SELECT (sum(machines), groupArrayIf((cause, machines), cause != ''))
        FROM
        (
            SELECT if(class = 'said_nothing', class, cause) AS cause, count() AS machines
            FROM placed WHERE class != 'outside' GROUP BY cause
        )
        WHERE {topic_id:String} != ''
    ) AS counts,
    -- end:
    standing AS
    (
        -- if counted_from in now, then:
        SELECT the_id AS topic_id, counts.1 AS population, counts.2 AS silent WHERE {topic_id:String} != ''
        -- else:
        SELECT topic_id, s.good + s.bad + s.pending + s.restart + s.failed + s.na_said
                + s.na_implied + s.said_unknown + s.other + arraySum(mapValues(s.not_known)) AS population,
            arrayZip(mapKeys(s.not_known), mapValues(s.not_known)) AS silent
        -- if counted_from in days:
        FROM (SELECT * FROM subject_days FINAL WHERE day = {moment_day:Date}) AS s
        -- else:
        FROM subject_counts AS s FINAL
        -- end:
        WHERE deleted = 0 AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          AND multiIf({topic_type:UInt32} IN (300, 301, 302), kind = 'deployment',
                      {topic_type:UInt32} IN (400, 401, 402, 500), kind IN ('update', 'baseline'),
                      {topic_type:UInt32} = 501, kind = 'scan',
                      kind = 'other' AND topic_type = {topic_type:UInt32})
        -- end:
    ),
    lines AS
    (
        SELECT topic_id, toNullable(state_id) AS state, '' AS cause, counted.clients AS machines, toNullable(newest) AS latest
        FROM counted
        UNION ALL
        SELECT topic_id, CAST(NULL, 'Nullable(UInt32)') AS state, entry.1 AS cause, entry.2 AS machines,
            CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS latest
        FROM standing
        ARRAY JOIN silent AS entry
        WHERE machines > 0
    )
SELECT
    {topic_type:UInt32} AS topic_type,
    if(titled.title != '', titled.title, lines.topic_id) AS title,
    lines.topic_id AS topic_id,
    lines.state AS state_id,
    multiIf(lines.state IS NULL, concat('Unknown: ', transform(lines.cause,
                ['waiting', 'gap', 'set_aside', 'unsent', 'silent', 'clock', 'not_scanned', 'never_told', 'said_nothing'],
                ['a report waits in the inbox', 'messages are missing', 'records were set aside',
                 'states wait on the client', 'silent for long', 'the clock is wrong', 'no scan since it was first seen',
                 'never reported on this topic',
                 'had said nothing by then'], lines.cause)),
            n.state_name != '', n.state_name,
            concat('State ', toString(lines.state))) AS state_name,
    multiIf(lines.state IS NULL, 'not_known', c.class = 'good', 'compliant', c.class != '', c.class,
            {topic_type:UInt32} IN (300, 301, 302, 400, 401, 402, 500, 501), 'said_unknown', 'other') AS class,
    lines.machines AS clients,
    if(p.population > 0, p.population, sum(lines.machines) OVER (PARTITION BY lines.topic_id)) AS _population,
    intDiv(1000 * clients, greatest(_population, 1)) / 10 AS percent,
    lines.latest AS newest_message,
    lines.cause AS cause,
    ifNull(toUInt64(state_id), toUInt64(4294967296)
        + indexOf(['waiting', 'gap', 'set_aside', 'unsent', 'silent', 'clock', 'not_scanned', 'never_told', 'said_nothing'],
            lines.cause)) AS _place
FROM lines
LEFT JOIN (SELECT topic_id, population FROM standing) AS p
    ON p.topic_id = lines.topic_id
LEFT JOIN (SELECT state_id AS named, any(state_name) AS state_name FROM state_names
    WHERE topic_type = {topic_type:UInt32} GROUP BY named) AS n
    ON n.named = assumeNotNull(lines.state)
LEFT JOIN (SELECT state_id AS of_state, class FROM classes WHERE topic_type = {topic_type:UInt32}) AS c
    ON c.of_state = assumeNotNull(lines.state)
LEFT JOIN (SELECT topic_id AS titled_id, title FROM topic_id_titles WHERE topic_type = {topic_type:UInt32}
    AND ({topic_id:String} = '' OR topic_id = {topic_id:String})) AS titled ON titled.titled_id = lines.topic_id
