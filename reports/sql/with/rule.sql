-- Who says what of the subject, and who should and does not: lines 1 to 5 of the rule in docs/compliance.md. Needs asked and scope before it; causes and placed follow.
    multiIf(the_kind = 'update', [500, 400], the_kind = 'deployment', [300], the_kind = 'baseline', [401],
        [the_type]) AS leading_types,
    multiIf(the_kind = 'update', [402], the_kind = 'deployment', [301, 302], the_kind = 'baseline', [402, 500, 400],
        []) AS detail_types,
    ['compliant', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown', 'other'] AS said_classes,
    -- Topic type and state in one number, and the class of that state. A state without one says nothing.
    (
        SELECT (groupArray(bitShiftLeft(toUInt64(topic_type), 32) + state_id),
            groupArray(toUInt8(indexOf(said_classes, if(class = 'good', 'compliant', class)))))
        FROM classes
    ) AS known,
    told AS
    (
        SELECT
            client_id, topic_type, state_id, serial, message_time, received_time, params,
            toUInt8(indexOf(leading_types, topic_type)) AS lead,
            bitShiftLeft(toUInt128(serial), 64) + toUInt128(toUnixTimestamp64Milli(message_time)) AS place,
            transform(bitShiftLeft(toUInt64(topic_type), 32) + state_id, arrayPushBack(known.1, toUInt64(0)),
                arrayPushBack(known.2, toUInt8(0)),
                toUInt8(indexOf(said_classes, if(the_kind = 'other', 'other', 'said_unknown')))) AS code
        FROM current_states
        WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
          AND client_id IN (SELECT client_id FROM scope)
    ),
    -- The leading type decides. What is bad is said more exactly by a detail, and where nothing leads a detail stands alone.
    said AS
    (
        SELECT
            client_id,
            argMinIf(code, lead, lead > 0) AS led,
            argMaxIf(code, place, lead = 0) AS detail,
            argMaxIf(code, place, lead = 0 AND code IN (3, 4, 5)) AS progress,
            said_classes[multiIf(led = 0, detail, led = 2 AND progress > 0, progress, led)] AS class
        FROM told
        GROUP BY client_id
    ),
    -- Members of the target, or without one those that scan for updates: they should have told of it, and did not.
    untold AS
    (
        SELECT client_id, max(s.last_scan) AS last_scan, max(s.wrong_clock) AS wrong_clock
        FROM
        (
            SELECT client_id, CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')') AS last_scan,
                CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')') AS wrong_clock
            FROM client_scans
            WHERE if(the_target = '', the_kind = 'update',
                client_id IN (SELECT client_id FROM collection_members WHERE name = the_target))
            UNION ALL
            SELECT client_id, toDateTime64(0, 3, 'UTC') AS last_scan, toDateTime64(0, 6, 'UTC') AS wrong_clock
            FROM collection_members
            WHERE the_target != '' AND name = the_target
        ) AS s
        WHERE client_id IN (SELECT client_id FROM scope) AND client_id NOT IN (SELECT client_id FROM told)
        GROUP BY client_id
    ),
