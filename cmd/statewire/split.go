package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/site"
)

func splitCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "split",
		Short: "run the roles that machines speak with as users of their own",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(g.asCaller(splitSetupCommand(g)))
	return cmd
}

// splitNames are users and groups, by name or number.
type splitNames struct {
	owner, roles, inbox string
	users               map[string]*string
}

func splitSetupCommand(g *globals) *cobra.Command {
	names := splitNames{users: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "give a data directory the owners and modes of a split site",
		Long: "Gives the data directory the owners and modes with which relay, notifier and fsp run as users of their " +
			"own; it is " +
			"for root, while\n" +
			"nothing runs on the directory. From then on each start checks them, and changes none. Run it again to mend them.",
		Example: "  sudo statewire split setup --data /var/lib/statewire",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := names.plan(g.Data, cmd.Flags().Changed)
			if err != nil {
				return cli.Usage(err)
			}
			if err := site.SetUpSplit(plan); err != nil {
				return err
			}
			fields := []cli.Field{{"data", g.Data}, {"owner", plan.Owner}}
			for _, role := range site.SplitRoles {
				if uid, ok := plan.Users[role]; ok {
					fields = append(fields, cli.Field{role, uid})
				}
			}
			return cli.WriteRecord(cmd.OutOrStdout(), g.Format, append(fields, cli.Field{"roles_group", plan.Roles},
				cli.Field{"inbox_group", plan.Inbox}))
		},
	}
	f := cmd.Flags()
	f.StringVar(&names.owner, "user", "", "the site's own user (default: the owner of the data directory, or statewire)")
	for _, role := range site.SplitRoles {
		names.users[role] = f.String(role+"-user", "statewire-"+role, "the user who runs role "+role+
			"; empty: the site's own")
	}
	f.StringVar(&names.roles, "group", "statewire-roles", "the group of these users")
	f.StringVar(&names.inbox, "inbox-group", "statewire-inbox",
		"the group of those who come to the inbox: the site's own "+
			"user, relay and fsp")
	return cmd
}

// plan says who gets what. A site that was set up before, with users or groups that nobody names now and this machine
// does not have by their usual names, keeps those that it has.
func (n *splitNames) plan(data string, named func(flag string) bool) (site.SplitPlan, error) {
	p := site.SplitPlan{Data: data, Users: map[string]int{}}
	users, roles, inbox := site.SplitOwners(data)
	var errs []error
	for _, role := range site.SplitRoles {
		name := *n.users[role]
		if name == "" {
			continue
		}
		uid, _, err := userOf(name)
		if err != nil && len(users) > 0 && !named(role+"-user") {
			if had, ok := users[role]; ok {
				p.Users[role] = had
			}
			continue
		}
		p.Users[role] = uid
		errs = append(errs, err)
	}
	var err error
	if uid, gid, there := ownerOfFolder(data); n.owner == "" && there && uid != 0 {
		p.Owner, p.Group = uid, gid
	} else if p.Owner, p.Group, err = userOf(orElse(n.owner, "statewire")); err != nil {
		errs = append(errs, err)
	}
	if p.Roles, err = groupOf(n.roles); err != nil && roles != 0 && !named("group") {
		p.Roles, err = roles, nil
	}
	errs = append(errs, err)
	if p.Inbox, err = groupOf(n.inbox); err != nil && inbox != 0 && !named("inbox-group") {
		p.Inbox, err = inbox, nil
	}
	return p, errors.Join(append(errs, err)...)
}

func orElse(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// userOf is a user's number and group. One that is named by its number has the group of that number.
func userOf(name string) (uid, gid int, err error) {
	if u, err := user.Lookup(name); err == nil {
		uid, err = strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		return uid, gid, errors.Join(err, err2)
	}
	if uid, err = strconv.Atoi(name); err != nil {
		return 0, 0, fmt.Errorf("this machine has no user %q; systemd-sysusers makes those of configs/sysusers.conf", name)
	}
	return uid, uid, nil
}

func groupOf(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	gid, err := strconv.Atoi(name)
	if err != nil {
		return 0, fmt.Errorf("this machine has no group %q; systemd-sysusers makes those of configs/sysusers.conf", name)
	}
	return gid, nil
}

// ownerOfFolder is whose a folder is.
func ownerOfFolder(path string) (uid, gid int, there bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	return site.OwnerOf(info)
}
