// Finding tests by their xunit attributes: in the guest to run them, on the host to know their names.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Xunit;
using Xunit.Sdk;

namespace Unikernel.Tests.Guest;

internal sealed class TestCase(MethodInfo method, object?[] arguments)
{
    public string Name { get; } = $"{method.DeclaringType!.Name}.{method.Name}"
        + (arguments.Length == 0 ? "" : $"({string.Join(", ", arguments.Select(a => a ?? "null"))})");

    public static IEnumerable<TestCase> Find(Assembly assembly)
    {
        foreach (Type type in assembly.GetTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            foreach (MethodInfo m in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .OrderBy(m => m.Name, StringComparer.Ordinal))
            {
                if (!m.IsDefined(typeof(FactAttribute), false))
                {
                    continue;
                }
                InlineDataAttribute[] data = [.. m.GetCustomAttributes<InlineDataAttribute>()];
                if (data.Length == 0)
                {
                    yield return new TestCase(m, []);
                }
                foreach (InlineDataAttribute d in data)
                {
                    yield return new TestCase(m, [.. d.GetData(m).Single()]);
                }
            }
        }
    }

    public Exception? Run()
    {
        object? instance = null;
        try
        {
            instance = method.IsStatic ? null : Activator.CreateInstance(method.DeclaringType!);
            object? result = method.Invoke(instance, BindingFlags.DoNotWrapExceptions, null, arguments, null);
            if (result is System.Threading.Tasks.Task task)
            {
                task.GetAwaiter().GetResult();
            }
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
        finally
        {
            (instance as IDisposable)?.Dispose();
        }
    }
}
