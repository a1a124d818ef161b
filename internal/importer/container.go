package importer

import (
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// container makes an image of the section that `spack containerize` reads
// (lib/spack/spack/schema/container.py).
func (i *spackImport) container(e yamlnode.Entry) {
	t := &targetBlock{kind: "image", name: i.env.name}
	add := func(key string, v value) { t.attributes = append(t.attributes, member{key: key, value: v}) }
	add("packages", expressions([]string{"environment." + i.env.name}))
	labels := object()
	for _, setting := range e.Value.Entries {
		what := "container:" + setting.Key
		lose := func(why string) { t.notes = append(t.notes, lost(i.m.Name, setting.Position, what, "%s", why)) }
		switch setting.Key {
		case "format":
			if setting.Value.Text == "singularity" {
				lose("this is an image for a registry; Apptainer runs it from there")
			}
		case "images":
			if base := baseImage(setting.Value); base != "" {
				add("base", text(base))
			}
			if spack := setting.Value.Get("spack"); spack.IsScalar() && i.opts.SpackRef == "" {
				ref := spack.Text
				if ref != "" && ref[0] >= '0' && ref[0] <= '9' {
					ref = "v" + ref
				}
				i.useSpack(ref, nil)
			}
		case "labels":
			for _, l := range setting.Value.Entries {
				labels.members = append(labels.members, member{key: l.Key, value: text(l.Value.Text)})
			}
		case "strip", "depfile", "docker", "singularity":
			if !isNothing(setting.Value) && setting.Value.Text != "false" {
				lose("layers are the packages as they are in the cache")
			}
		case "os_packages":
			lose("nothing is installed with a package manager; put what is needed into the base image, or into the environment")
		default:
			lose("images are put together from packages and files, without running commands")
		}
	}
	if !labels.isEmpty() {
		add("labels", labels)
	}
	add("publish", texts([]string{"oci:dist/" + strings.ToLower(i.env.name) + ":latest"}))
	i.targets = append(i.targets, t)
	i.example = false
}

func baseImage(images *yamlnode.Node) string {
	for _, key := range []string{"final", "os"} {
		if v := images.Get(key); v.IsScalar() {
			return v.Text
		}
	}
	return ""
}
