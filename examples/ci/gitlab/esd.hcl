# What the pipeline beside this file plans in merge requests and applies on the
# default branch. A small stack, so that all of it can be tried in a minute.

esd {
  # The address comes from ESD_HTTP_ADDRESS, which the pipeline sets. Lock,
  # unlock and the credentials of the job follow from it: docs/state-http.md
  state "http" {}
}

variable "registry" {
  description = "Where images are published: oci:DIRECTORY, or a registry such as $CI_REGISTRY_IMAGE."
  type        = string
  default     = "oci:dist"
}

variable "cache" {
  description = "Where finished packages are kept: a directory, or oci://REGISTRY/REPOSITORY."
  type        = string
  default     = "dist/cache"
}

cache "artifact" "shared" {
  url = var.cache
}

recipe "constants" {
  version = "1.1.0"
  script  = <<-EOT
    mkdir -p "$prefix/share"
    printf 'capacitance 1.0 uF/cm2\nrest -65.0 mV\n' > "$prefix/share/membrane.txt"
  EOT
}

recipe "report" {
  version     = "1.0.0"
  build_needs = [recipe.constants]
  script      = <<-EOT
    mkdir -p "$prefix/share"
    sed 's/^/membrane: /' "$constants/share/membrane.txt" > "$prefix/share/report.txt"
  EOT
}

target "image" "lab" {
  packages = [recipe.constants, recipe.report]
  publish  = ["${var.registry}/lab:1.0"]
}

output "digest" {
  value = target.image.lab.digest
}
