-- Who should have told of the topic and did not, as judged, for placed. Without a topic id these are all that never told of its type.
    multiIf(the_kind = 'update' OR the_kind = 'baseline', [400, 401, 402, 500], the_kind = 'deployment', [300, 301, 302],
        [{topic_type:UInt32}]) AS types,
    -- None of them said anything.
    [''] AS said_classes,
    judged AS
    (
        SELECT client_id, toUInt8(0) AS said, toUInt8(1) AS asked, max(s.last_scan) AS last_scan, max(s.wrong_clock) AS wrong_clock
        FROM
        (
            SELECT client_id, CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')') AS last_scan,
                CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')') AS wrong_clock
            FROM client_scans
            UNION ALL
            SELECT client_id, toDateTime64(0, 3, 'UTC') AS last_scan, toDateTime64(0, 6, 'UTC') AS wrong_clock
            FROM scope
        ) AS s
        WHERE client_id IN (SELECT client_id FROM scope)
          AND client_id NOT IN
          (
              SELECT client_id FROM current_states_data
              WHERE topic_type IN (SELECT arrayJoin(types)) AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
              UNION ALL
              SELECT client_id FROM instant_states_data
              WHERE topic_type IN (SELECT arrayJoin(types)) AND ({topic_id:String} = '' OR topic_id = {topic_id:String})
          )
          AND multiIf({topic_id:String} = '', 1,
                      the_target != '', client_id IN (SELECT client_id FROM collection_members WHERE name = the_target),
                      the_kind = 'update', client_id IN (SELECT client_id FROM client_scans),
                      0)
        GROUP BY client_id
    ),
