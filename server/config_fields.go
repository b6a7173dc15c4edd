package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
)

// choices reads the answers that the operator lets customers choose from.
func (k *check) choices(c *ChoicesConfig) {
	k.options = map[string][]string{}
	for f, v := range reflect.ValueOf(c).Elem().Fields() {
		name := tomlKey(f)
		given, _ := reflect.TypeAssert[[]string](v)
		known, _ := anchor.StandardOf(name)
		field := known.Field(false, given)
		for i, option := range given {
			_, err := field.Check(option, time.Time{})
			switch {
			case field.Type == anchor.FieldCountry && anchor.Country(option) != option:
				k.wrong("choices."+name, `entry %d, %q, is no country; expected codes of ISO 3166-1 in three capitals, such as ["ARG", "BRA"]`, i+1, option)
			case err != nil || strings.TrimSpace(option) != option:
				k.wrong("choices."+name, "entry %d, %q, will not do; expected a text of 1 to 200 characters, without spaces around it", i+1, option)
			case slices.ContainsFunc(given[:i], func(other string) bool { return strings.EqualFold(other, option) }):
				k.wrong("choices."+name, "%q is listed twice", option)
			}
		}
		k.options[name] = given
	}
}

// fields turns names into what is asked. They are SEP-9's, since the pages have
// a label for each of those in every language.
func (k *check) fields(at string, required, optional []string) []anchor.Field {
	var made []anchor.Field
	for i, name := range slices.Concat(required, optional) {
		key := at + "fields"
		if i >= len(required) {
			key = at + "optional_fields"
		}
		standard, ok := anchor.StandardOf(name)
		if !ok {
			var all []string
			for _, s := range anchor.SEP9 {
				all = append(all, s.Name)
			}
			mend := ""
			if near := nearest(name, all); near != "" {
				mend = fmt.Sprintf("; did you mean %q?", near)
			}
			k.wrong(key, "%q is none of the fields that can be asked%s (known: %s)", name, mend, strings.Join(all, ", "))
		}
		if slices.ContainsFunc(made, func(f anchor.Field) bool { return f.Name == name }) {
			k.wrong(key, "%q is asked twice", name)
		}
		made = append(made, standard.Field(i >= len(required), k.options[name]))
	}
	return made
}
