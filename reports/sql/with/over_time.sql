-- What a question about time begins with: the last day, in its zone, and where it is about one subject that subject's asked_kinds and asked_types.
    -- if as_of:
    toDate(fromUnixTimestamp64Micro({moment_us:Int64}), {zone:String}) AS last_day,
    -- else:
    toDate(now64(6), {zone:String}) AS last_day,
    -- end:
    -- if subject_id:
    [{subject_kind:String}] AS asked_kinds,
    multiIf({subject_kind:String} = 'update', [toUInt32(500), 400, 402],
            {subject_kind:String} = 'deployment', [toUInt32(300), 301, 302],
            {subject_kind:String} = 'baseline', [toUInt32(401), 402, 500, 400],
            [{subject_type:UInt32}]) AS asked_types,
    -- end:
