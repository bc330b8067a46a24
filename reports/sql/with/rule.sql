-- Who says what of the subject, and who should and does not: one row for each client that told of it, or is asked. Needs asked and scope before it; placed follows.
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
    -- What each told, when it scanned, and whether it is a member of the target: read together, once.
    heard AS
    (
        SELECT
            client_id,
            transform(bitShiftLeft(toUInt64(topic_type), 32) + state_id, arrayPushBack(known.1, toUInt64(0)),
                arrayPushBack(known.2, toUInt8(0)),
                toUInt8(indexOf(said_classes, if(the_kind = 'other', 'other', 'said_unknown')))) AS code,
            toUInt8(indexOf(leading_types, topic_type)) AS lead,
            bitShiftLeft(toUInt128(serial), 64) + toUInt128(toUnixTimestamp64Milli(message_time)) AS place,
            toDateTime64(0, 3, 'UTC') AS scan,
            toDateTime64(0, 6, 'UTC') AS wrong,
            toUInt8(0) AS meant
        FROM current_states
        WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
        UNION ALL
        SELECT client_id, toUInt8(0) AS code, toUInt8(0) AS lead, toUInt128(0) AS place,
            CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')') AS scan,
            CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')') AS wrong,
            toUInt8(the_target = '') AS meant
        FROM client_scans
        WHERE the_kind = 'update' OR the_target != ''
        UNION ALL
        SELECT client_id, toUInt8(0) AS code, toUInt8(0) AS lead, toUInt128(0) AS place, toDateTime64(0, 3, 'UTC') AS scan,
            toDateTime64(0, 6, 'UTC') AS wrong, toUInt8(1) AS meant
        FROM collection_members
        WHERE the_target != '' AND name = the_target
    ),
    -- The leading type decides. What is bad is said more exactly by a detail, and where nothing leads a detail stands alone.
    judged AS
    (
        SELECT
            client_id,
            argMinIf(code, lead, lead > 0) AS led,
            argMaxIf(code, place, lead = 0) AS detail,
            argMaxIf(code, place, lead = 0 AND code IN (3, 4, 5)) AS progress,
            multiIf(led = 0, detail, led = 2 AND progress > 0, progress, led) AS said,
            max(scan) AS last_scan,
            max(wrong) AS wrong_clock,
            max(meant) AS asked
        FROM heard
        WHERE client_id IN (SELECT client_id FROM scope)
        GROUP BY client_id
        HAVING said > 0 OR asked = 1
    ),
