package packages

import (
	"slices"
	"strings"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/internal/topics"
	"statewire/smx"
)

// maxReasonBytes bounds the reason of a failure as it is told to the site.
const maxReasonBytes = 500

// usualPriority is that of the reports which carry a scan's states.
const usualPriority = 5

// latest are the states of a topic type.
func latest(all agent.Messages, topicType uint32) (states []cache.State) {
	for _, h := range all.Held {
		if h.TopicType == topicType {
			states = append(states, h.State)
		}
	}
	return states
}

// topicID names an update as apt takes it: PACKAGE=VERSION, with the architecture after the package if that is a
// foreign one.
func (u upgrade) topicID() string { return u.name + "=" + u.candidate }

// splitTopicID is the package and version of an update that this source told of.
func splitTopicID(id string) (name, version string, ok bool) {
	name, version, ok = strings.Cut(id, "=")
	return name, version, ok && isPackageName(name) && isVersion(version)
}

// states is the state of every update that can be installed, and of those that the site was told of before.
func (f inventory) states(told []cache.State) []cache.State {
	var all []cache.State
	listed := make(map[string]bool, len(f.upgrades))
	for _, u := range f.upgrades {
		listed[u.topicID()] = true
		all = append(all, updateState(topics.UpdateDetection, u.topicID(), topics.UpdateRequired, u.name, u.installed,
			u.candidate, u.origin))
	}
	for _, s := range told {
		name, version, ok := splitTopicID(s.TopicID)
		if ok && !listed[s.TopicID] {
			all = append(all, f.unlisted(s, name, version))
		}
	}
	return all
}

// unlisted is the state of an update that apt no longer offers.
func (f inventory) unlisted(told cache.State, name, version string) cache.State {
	state, here := uint32(topics.UpdateNotRequired), f.installed[name]
	if here.version == version {
		state = topics.UpdateUnknown
		if here.whole {
			state = topics.UpdateInstalled
		}
	}
	if state == told.StateID {
		return told // whatever version is installed by now: that is another update's matter
	}
	origin := ""
	if len(told.Params) > 3 {
		origin = told.Params[3]
	}
	return updateState(topics.UpdateDetection, told.TopicID, state, name, here.version, version, origin)
}

func updateState(topicType uint32, id string, state uint32, params ...string) cache.State {
	return cache.State{Message: smx.Message{TopicType: topicType, TopicID: id, TopicIDType: updateIDType,
		StateID: state, Params: params}}
}

// changes are the states that differ from what was told, or were never told.
func changes(told, now []cache.State) []cache.State {
	before := make(map[string]*cache.State, len(told))
	for i := range told {
		before[told[i].TopicID] = &told[i]
	}
	return slices.DeleteFunc(now, func(s cache.State) bool {
		old, known := before[s.TopicID]
		return known && old.StateID == s.StateID && slices.Equal(old.Params, s.Params)
	})
}

// shorten bounds a text at a whole letter.
func shorten(text string) string {
	if len(text) <= maxReasonBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxReasonBytes], "")
}
