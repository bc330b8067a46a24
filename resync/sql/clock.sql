SELECT number, checked_time, epoch_time, before_time
FROM resync_clock FINAL
