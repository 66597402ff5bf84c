terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

# For what stands in the other region. A provider of the module's own keeps its interface to one variable; the price is that the
# module cannot be used with count or for_each: name all databases in one call.
provider "aws" {
  alias  = "destination"
  region = local.destination
}
