package relay

// A channel's connection stays open all day. It is counted apart from those that hand in reports, one of each caller:
// a client that opened thousands would have one of them beside the counts.

// setApart takes a connection out of the counts: it is the caller's channel from now on, and letGo ends the request
// that is held on it. The channel that the caller had before counts again. It is false when as many as may be are
// apart.
func (l *listener) setApart(c *conn, who string, letGo func()) bool {
	l.mu.Lock()
	before := l.apart[who]
	full := before == nil && l.mostApart > 0 && len(l.apart) >= l.mostApart
	if full || l.closed || c.place == nil && c.who == "" { // it gave way meanwhile
		if full {
			l.refused(c, "channel_limit")
		}
		l.mu.Unlock()
		return false
	}
	var away *conn
	if before != nil && before != c {
		l.forgetApart(before)
		away = l.count(before)
	}
	if c.place != nil {
		l.uncount(c)
		l.metrics.channels.Inc()
	}
	l.apart[who] = c
	c.who, c.letGo, c.apart = who, letGo, true
	l.mu.Unlock()
	away.hangUp()
	return true
}

// setBack counts a connection that was a channel among the others again. It is false when there is no place for it:
// then it is closed.
func (l *listener) setBack(c *conn) bool {
	if !c.apart {
		return true
	}
	c.apart = false
	l.mu.Lock()
	var away *conn
	if c.who != "" {
		l.forgetApart(c)
		away = l.count(c)
	}
	has := c.place != nil
	l.mu.Unlock()
	away.hangUp()
	return has
}

// count finds a place for a connection that had none, and returns who gives way for it: another, or itself when all
// others are at work. It must be called with mu held.
func (l *listener) count(c *conn) (away *conn) {
	away, limit := l.full(c.from)
	switch {
	case limit == "":
	case away == nil:
		c.gone = true
		l.refused(c, limit)
		l.metrics.connections.Dec()
		return c
	default:
		l.giveWay(away, "idle_"+limit)
	}
	l.countsOf(c.from).open++
	c.place = l.open.PushBack(c)
	return away
}

// forgetApart must be called with mu held.
func (l *listener) forgetApart(c *conn) {
	delete(l.apart, c.who)
	c.who, c.letGo = "", nil
	l.metrics.channels.Dec()
}

// endApart ends what is held, and returns the channels between two requests. It must be called with mu held.
func (l *listener) endApart() (waiting []*conn) {
	for _, c := range l.apart {
		if c.busy {
			c.letGo()
		} else {
			c.gone = true
			waiting = append(waiting, c)
		}
	}
	return waiting
}
