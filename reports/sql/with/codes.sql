-- The class of each state, as a number: said_classes has the words.
    ['compliant', 'bad', 'pending', 'restart', 'failed', 'not_applicable', 'said_unknown', 'other'] AS said_classes,
    -- Topic type and state in one number, and the class of that state.
    (
        SELECT (groupArray(bitShiftLeft(toUInt64(topic_type), 32) + state_id),
            groupArray(toUInt8(indexOf(said_classes, if(class = 'good', 'compliant', class)))))
        FROM classes
    ) AS known,
