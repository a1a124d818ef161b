# One program in many variants, without repeating anything:
#
#   esd apply examples/variants.hcl
#   esd apply --var 'sizes=[16, 32, 64]' examples/variants.hcl
#
# Only the variants that are new are built; the others stay as they are.

esd {
  required_version = ">= 0.1.0"
}

variable "release" {
  description = "The tag of the published images."
  type        = string
  default     = "25.11"
  validation {
    condition     = can(regex("^\\d\\d\\.\\d\\d$", var.release))
    error_message = "A release is a year and a month: 25.11."
  }
}

variable "sizes" {
  description = "The lattice sizes to build for."
  type        = list(number)
  default     = [16, 32]
  validation {
    condition     = alltrue([for n in var.sizes : n >= 4 && n <= 512 && n == floor(n)])
    error_message = "A lattice has from 4 to 512 spins a side."
  }
}

variable "optimize" {
  description = "Optimization for each precision."
  type        = map(number)
  default     = { float = 3, double = 2 }
}

locals {
  code = "variants/src"
}

# What all variants have built is kept in one place, which other configurations
# may share. A team would name a registry here: oci://registry.example.org/esd/cache
cache "artifact" "shared" {
  url = "dist/cache"
}

# A module, once for each combination: precision x size.
module "lattice" {
  source = "./modules/stack"
  matrix = {
    real = keys(var.optimize)
    size = [for n in var.sizes : tostring(n)]
  }

  name     = "lattice"
  program  = "lattice"
  code     = local.code
  optimize = var.optimize[each.value.real]
  defines  = { REAL = each.value.real, SIZE = each.value.size }
  tags     = ["${var.release}-${each.value.real}-${each.value.size}"]
}

# What the program says in each precision, as data: for_each over a map.
recipe "table" {
  for_each = var.optimize
  version  = "1.0.0"
  env      = { REAL = each.key, LEVEL = tostring(each.value) }
  source { path = local.code }
  script = <<-EOT
    cc -std=c99 -Wall -Wextra -ffp-contract=off "-O$LEVEL" "-DREAL=$REAL" -DSIZE=16 lattice.c -lm -o lattice
    mkdir -p "$prefix/share"
    ./lattice > "$prefix/share/$REAL.txt"
  EOT
}

target "image" "tables" {
  packages = [recipe.table]
  files    = { "/lattice.c" = "${local.code}/lattice.c" }
  publish  = ["oci:dist/tables:${var.release}"]
}

output "images" {
  description = "The digest of each variant."
  value       = { for variant, m in module.lattice : variant => m.digest }
}

output "published" {
  value = sort(flatten([for m in module.lattice : m.references]))
}
