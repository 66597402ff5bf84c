# Databases that outgrow a function: it starts a task on Fargate for each, which has the same settings.

locals {
  tasks = var.fargate == null ? 0 : 1

  to_fargate = var.fargate == null ? {} : {
    PGKEEP_FARGATE                 = length(var.fargate.databases) == 0 ? "too-big" : join(",", var.fargate.databases)
    PGKEEP_FARGATE_CLUSTER         = aws_ecs_cluster.this[0].name
    PGKEEP_FARGATE_TASK_DEFINITION = aws_ecs_task_definition.this[0].arn
    PGKEEP_FARGATE_SUBNETS         = join(",", var.fargate.subnet_ids)
    PGKEEP_FARGATE_SECURITY_GROUPS = join(",", var.fargate.security_group_ids)
    PGKEEP_FARGATE_PUBLIC_IP       = tostring(var.fargate.assign_public_ip)
  }
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Its metrics are paid for one by one, and tell nothing that log and exit code do not.
  count = local.tasks
  name  = var.function_name
  tags  = var.tags

  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  count                    = local.tasks
  family                   = var.function_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.fargate.cpu
  memory                   = var.fargate.memory
  task_role_arn            = aws_iam_role.task[0].arn
  execution_role_arn       = aws_iam_role.execution[0].arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  container_definitions = jsonencode([{
    name      = "pgkeep"
    image     = var.fargate.image
    essential = true
    memory    = var.fargate.memory
    # Nothing is kept on disk.
    readonlyRootFilesystem = true
    # A backup that is stopped removes what it has written.
    stopTimeout = 120
    # The image names a configuration that is not in it; here all is in the environment.
    environment = [
      for name, value in merge({ PGKEEP_CONFIG = "/dev/null" }, local.settings) : { name = name, value = value }
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.function.name
        awslogs-region        = data.aws_region.this.name
        awslogs-stream-prefix = "task"
      }
    }
  }])
}

# Tasks that failed, or never came to run, end in the same queue as events that the function failed at.
resource "aws_cloudwatch_event_rule" "failed_task" {
  count       = local.tasks
  name        = "${var.function_name}-failed-task"
  description = "Failed tasks of ${var.function_name}"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.this[0].arn]
      lastStatus = ["STOPPED"]
      containers = { exitCode = [{ anything-but = [0] }, { exists = false }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "failed_task" {
  count = local.tasks
  rule  = aws_cloudwatch_event_rule.failed_task[0].name
  arn   = aws_sqs_queue.failed.arn
}

resource "aws_sqs_queue_policy" "failed" {
  count     = local.tasks
  queue_url = aws_sqs_queue.failed.id
  policy    = data.aws_iam_policy_document.failed_task[0].json
}

data "aws_iam_policy_document" "failed_task" {
  count = local.tasks

  statement {
    sid       = "TellOfTasks"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.failed_task[0].arn]
    }
  }
}

# What the container may: as the function.
resource "aws_iam_role" "task" {
  count              = local.tasks
  name               = "${var.function_name}-task"
  assume_role_policy = data.aws_iam_policy_document.assume_task.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  count  = local.tasks
  name   = "backup"
  role   = aws_iam_role.task[0].id
  policy = data.aws_iam_policy_document.backup.json
}

# What ECS may: fetch the image, write the log.
resource "aws_iam_role" "execution" {
  count              = local.tasks
  name               = "${var.function_name}-task-execution"
  assume_role_policy = data.aws_iam_policy_document.assume_task.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  count  = local.tasks
  name   = "execution"
  role   = aws_iam_role.execution[0].id
  policy = data.aws_iam_policy_document.execution[0].json
}

data "aws_iam_policy_document" "execution" {
  count = local.tasks

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.fargate.repository_arn == null ? [] : [var.fargate.repository_arn]
    content {
      sid       = "FetchImage"
      actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.fargate.repository_arn == null ? [] : [1]
    content {
      sid       = "LogInToRegistry"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }
}

data "aws_iam_policy_document" "assume_task" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}
