# The function in a VPC, and its way to AWS without the internet.

resource "aws_security_group" "function" {
  count       = local.in_vpc ? 1 : 0
  name        = local.function
  description = "The function of the database backups: out to AWS alone"
  vpc_id      = var.vpc_id
  tags        = local.tags

  egress {
    description = "AWS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

data "aws_vpc" "this" {
  count = var.enable_vpc_endpoints ? 1 : 0
  id    = var.vpc_id
}

resource "aws_security_group" "endpoints" {
  count       = var.enable_vpc_endpoints ? 1 : 0
  name        = "${local.function}-endpoints"
  description = "AWS services from within the VPC"
  vpc_id      = var.vpc_id
  tags        = local.tags

  ingress {
    description = "The VPC"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = [data.aws_vpc.this[0].cidr_block]
  }
}

# RDS, CloudWatch and the others charge for each; S3's is free.
resource "aws_vpc_endpoint" "interface" {
  for_each = toset(var.enable_vpc_endpoints ? ["rds", "monitoring", "logs", "sns", "kms", "secretsmanager"] : [])

  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  tags                = local.tags
}

data "aws_route_tables" "this" {
  count  = var.enable_vpc_endpoints ? 1 : 0
  vpc_id = var.vpc_id
}

resource "aws_vpc_endpoint" "s3" {
  count = var.enable_vpc_endpoints ? 1 : 0

  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = data.aws_route_tables.this[0].ids
  tags              = local.tags
}
