-- What each client told of the subject, in one class. Needs stated, asked and codes before it.
    -- The leading type decides. What is bad is said more exactly by a detail, and where nothing leads a detail stands alone.
    spoke AS
    (
        SELECT
            client_id,
            min(if(lead > 0, lead * 16 + code, 255)) AS leads,
            toUInt8(max(if(lead = 0, place, 0)) % 16) AS detail,
            toUInt8(max(if(lead = 0 AND code IN (3, 4, 5), place, 0)) % 16) AS progress,
            multiIf(leads = 255, detail, leads % 16 = 2 AND progress > 0, progress, leads % 16) AS said
        FROM
        (
            SELECT
                client_id,
                transform(bitShiftLeft(toUInt64(topic_type), 32) + state_id, known.1, known.2,
                    toUInt8(indexOf(said_classes, if(the_kind = 'other', 'other', 'said_unknown')))) AS code,
                toUInt8(indexOf(leading_types, topic_type)) AS lead,
                -- Serial, then message time, with room for the class.
                bitShiftLeft(toUInt128(serial), 64)
                    + toUInt128((toUnixTimestamp64Milli(message_time) + 4398046511104) * 16 + code) AS place
            FROM stated
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
            -- if collection:
              AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
            -- else:
              AND client_id NOT IN (SELECT client_id FROM gone)
            -- end:
        )
        GROUP BY client_id
    ),
