// Prints the resources that the component registers for arguments given as JSON, as Pulumi's mocks see them.
import * as pulumi from "@pulumi/pulumi";

const registered: { type: string; name: string; inputs: unknown }[] = [];

pulumi.runtime.setMocks({
  newResource: (args) => {
    registered.push({ type: args.type, name: args.name, inputs: args.inputs });
    return { id: `${args.name}-id`, state: { ...args.inputs, arn: `arn:aws:mock:::${args.name}` } };
  },
  call: () => ({}),
});

async function main() {
  const { name, ...args } = JSON.parse(process.argv[2] ?? "{}");
  const { AwsBackup } = await import("./index");
  const backup = new AwsBackup(name, args);
  const outputs = pulumi.all([backup.backupVault.name, backup.backupPlan.name, backup.backupSelection.name]);
  const exported = await new Promise((done) => outputs.apply(done));
  process.stdout.write(JSON.stringify({ registered, exported }));
}

main().catch((e) => {
  process.stderr.write(`${e}\n`);
  process.exit(1);
});
